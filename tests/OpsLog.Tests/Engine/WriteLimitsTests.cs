using System.Text;
using System.Text.Json;
using OpsLog.Engine;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: nothing is acknowledged that could not be read again, and what is too much for one write is refused or divided. Method: the limits, some 2 GB, made so small that
/// a few documents of 8 KiB exceed them.
/// </summary>
public sealed class WriteLimitsTests
{
    private const int DocumentBytes = 8 << 10;
    private static readonly WriteLimits s_small = new(80 << 10, 16 << 10);

    /// <summary>With append or without, as the only writer or as an agent.</summary>
    public static TheoryData<bool, bool> Writers => new() { { true, false }, { true, true }, { false, false }, { false, true } };

    [Theory]
    [InlineData(1000, true)]
    [InlineData(999, true)]
    [InlineData(998, false)]
    public async Task A_line_is_read_up_to_the_limit_though_the_window_before_was_more_than_half(int most, bool isTaken)
    {
        var (storage, key) = (new MemoryStorage(), new StorageKey("ops/x"));
        await Lab.WriteAsync(storage, key, Encoding.ASCII.GetBytes(new string('x', 998) + "\ny"));
        var lines = 0;
        var read = async () => await ObjectReader.ReadAsync(storage, key, 0, null, 0, part =>
        {
            var end = part.Memory.Span.IndexOf((byte)'\n') + 1;
            if (end > 0) lines++;
            return part.IsLast ? part.Memory.Length : end;
        }, 300, TestContext.Current.CancellationToken, most: most);
        if (isTaken) Assert.Equal(1000, await read());
        else Assert.Equal(OpsLogError.Damaged, (await Assert.ThrowsAsync<OpsLogException>(read)).Error);
        Assert.Equal(isTaken ? 1 : 0, lines);
    }

    [Fact]
    public async Task An_object_that_is_read_whole_and_longer_than_an_array_is_damage()
    {
        var storage = new HookedStorage(new MemoryStorage());
        await Lab.WriteAsync(storage, Lab.Manifest, [1]);
        storage.Reading = _ => new StoredObject(Stream.Null, 3L << 30, default);
        Assert.Contains("longer than", (await Lab.OpeningRefusedAsync(OpsLogError.Damaged, storage)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task A_batch_too_large_to_be_read_is_refused_before_it_is_written(bool append, bool isAgent)
    {
        var disk = new MemoryStorage(append);
        await using (var store = await Lab.OpenAsync(disk, Options(isAgent)))
        {
            await store.SetAsync("a", Lab.Doc(1));
            var before = await Lab.BytesAsync(disk);
            var refused = await Lab.RefusedAsync(OpsLogError.InvalidDocument, () => store.BatchAsync(b => Fill(b.Set, 12)));
            Assert.Contains("smaller batches", refused.Message, StringComparison.Ordinal);
            Assert.Equal(before, await Lab.BytesAsync(disk));
            Assert.Equal(["a"], store.Keys);
            await store.BatchAsync(b => Fill(b.Set, 5));
            Assert.Equal(1 + 5, store.Count);
        }

        await using var reopened = await Lab.OpenAsync(disk, Options(isAgent));
        Assert.Equal(1 + 5, reopened.Count);
        Assert.True((await OpsStore.VerifyAsync(disk)).IsSound);
    }

    [Theory]
    [InlineData(Durability.Os)]
    [InlineData(Durability.Buffered)]
    public async Task A_document_that_has_no_room_beside_the_one_it_replaces_is_refused(Durability durability)
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk, Options(change: o => o.Durability = durability)))
        {
            await store.SetAsync("a", Document('x', 5 * DocumentBytes));
            await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.SetAsync("a", Document('y', 5 * DocumentBytes)));
            Assert.Equal('x', store["a"].GetProperty("text").GetString()![0]);
            await store.SetAsync("b", Lab.Doc(1));
        }

        Assert.Contains("b = {\"n\":1}", await Lab.StateAsync(disk), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task Records_too_large_to_be_deleted_as_one_are_not_archived(bool append, bool isAgent)
    {
        var disk = new MemoryStorage(append);
        await using var store = await Lab.OpenAsync(disk, Options(isAgent));
        for (var i = 0; i < 12; i++) await store.SetAsync($"{i}", Document('x'));
        var before = await Lab.BytesAsync(disk);
        var refused = await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.ArchiveAsync((_, _) => true, "2026"));
        Assert.Contains("fewer at a time", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await Lab.BytesAsync(disk));
        Assert.Equal(12, store.Count);

        Assert.Equal(5, await store.ArchiveAsync(["1", "2", "3", "4", "5"], "2026"));
        Assert.Equal((7, 5), (store.Count, (await store.LoadArchiveAsync("2026")).Count));
        if (isAgent) return; // has a segment of its own for each run
        refused = await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.ArchiveAsync(["6", "7", "8", "9", "10"], "2026"));
        Assert.Contains("another period", refused.Message, StringComparison.Ordinal);
        Assert.Equal(5, await store.ArchiveAsync(["6", "7", "8", "9", "10"], "2027"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_snapshot_too_large_for_its_layout_is_not_made_and_nothing_is_lost(bool append)
    {
        var disk = new MemoryStorage(append);
        var state = "";
        await using (var store = await Lab.OpenAsync(disk, Options(change: o => o.SnapshotFormat = SnapshotFormat.Json)))
        {
            for (var i = 0; i < 9; i++) await store.SetAsync($"{i}", Document('x'));
            await store.CompactAsync();
            for (var i = 9; i < 12; i++) await store.SetAsync($"{i}", Document('x'));
            var snapshot = await Lab.SnapshotAsync(disk);
            await Lab.RefusedAsync(OpsLogError.InvalidDocument, () => store.CompactAsync());
            Assert.Equal(snapshot, await Lab.SnapshotAsync(disk));
            await store.SetAsync("b", Lab.Doc(1));
            state = Runs.Text(store);
        }

        Assert.Equal(state, await Lab.StateAsync(disk));
        await using (var store = await Lab.OpenAsync(disk, Options())) await store.CompactAsync(); // in lines
        Assert.Equal(state, await Lab.StateAsync(disk));
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task Callers_that_are_together_too_many_bytes_for_one_append_are_written_in_several(bool append, bool isAgent)
    {
        var disk = new MemoryStorage(append);
        var faulty = new FaultyStorage(disk);
        var gate = new Gate();
        var hooked = new HookedStorage(faulty);
        await using (var store = await Lab.OpenAsync(hooked, Options(isAgent)))
        {
            await store.SetAsync("first", Lab.Doc(0));
            hooked.Before = (call, key) => IsAppend(call, key) ? gate.PassAsync() : Task.CompletedTask;
            var writes = new List<Task> { store.SetAsync("leads", Lab.Doc(1)).AsTask() };
            await gate.Arrived;
            var before = faulty.CountOf(append ? StorageCalls.Append : StorageCalls.Put);
            for (var i = 0; i < 40; i++) writes.Add(store.SetAsync($"{i:D2}", Document('x')).AsTask());
            var refused = store.SetAsync("00", Lab.Doc(2), Revision.None).AsTask();
            writes.Add(store.DeleteAsync("39").AsTask());
            gate.Open();
            await Task.WhenAll(writes);
            await Lab.RefusedAsync(OpsLogError.Conflict, () => refused);
            Assert.InRange(faulty.CountOf(append ? StorageCalls.Append : StorageCalls.Put) - before, 40 / 3, 40);
            Assert.Equal(2 + 39, store.Count);
            Assert.Equal(43, (await Lab.OperationsAsync(store)).DistinctBy(o => o.Revision).Count());
        }

        await using var reopened = await Lab.OpenAsync(disk, Options(isAgent));
        Assert.Equal(2 + 39, reopened.Count);
    }

    [Fact]
    public async Task Of_callers_written_in_several_appends_only_those_of_the_one_that_fails_do()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        var gate = new Gate();
        var hooked = new HookedStorage(faulty);
        await using var store = await Lab.OpenAsync(hooked, Options());
        await store.SetAsync("first", Lab.Doc(0));
        hooked.Before = (call, key) => IsAppend(call, key) ? gate.PassAsync() : Task.CompletedTask;
        var leads = store.SetAsync("leads", Lab.Doc(1)).AsTask();
        await gate.Arrived;
        var writes = Enumerable.Range(0, 9).Select(i => store.SetAsync($"{i}", Document('x')).AsTask()).ToArray();
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Append, FirstCall = 3, Fault = StorageFault.Full, Moment = FaultMoment.Before }); // the second of theirs
        gate.Open();
        await leads;
        foreach (var failed in writes[2..4]) await Lab.RefusedAsync(OpsLogError.StorageFailed, () => failed);
        await Task.WhenAll([.. writes[..2], .. writes[4..]]);
        Assert.Equal(2 + 7, store.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_written_while_a_snapshot_is_made_may_be_more_than_memory_takes_at_once(bool append)
    {
        var disk = new MemoryStorage(append);
        var gate = new Gate();
        var hooked = new HookedStorage(disk);
        var state = "";
        await using (var store = await Lab.OpenAsync(hooked, Options()))
        {
            await store.SetAsync("a", Lab.Doc(1));
            hooked.Before = (call, key) => call == StorageCalls.Put && key.Value.StartsWith("snapshots/", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
            var checkpoint = store.CompactAsync().AsTask();
            await gate.Arrived;
            for (var i = 0; i < 10; i++)
            {
                await store.SetAsync($"{i}", Document('x'));
                await store.BatchAsync(b => Fill(b.Set, 3 + (i % 3), $"{i}-"));
            }

            gate.Open();
            await checkpoint;
            await store.SetAsync("b", Lab.Doc(1));
            state = Runs.Text(store);
        }

        Assert.Equal(state, await Lab.StateAsync(disk));
        Assert.True((await OpsStore.VerifyAsync(disk)).IsSound);
    }

    private static bool IsAppend(StorageCalls call, StorageKey key) => call is StorageCalls.Append or StorageCalls.Put && key.Value.StartsWith("ops/", StringComparison.Ordinal);

    private static OpsStoreOptions Options(bool isAgent = false, Action<OpsStoreOptions>? change = null) => Lab.Options(o =>
    {
        o.Limits = s_small;
        if (isAgent) o.AgentId = "a";
        change?.Invoke(o);
    });

    private static JsonElement Document(char letter, int length = DocumentBytes) => JsonSerializer.SerializeToElement(new { text = new string(letter, length) });

    private static void Fill(Action<string, JsonElement> set, int count, string prefix = "batch-")
    {
        for (var i = 0; i < count; i++) set($"{prefix}{i}", Document('z'));
    }
}
