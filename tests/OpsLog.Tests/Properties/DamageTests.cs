using System.Text;
using System.Text.Json;
using CsCheck;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.Properties;

/// <summary>
/// Goal: V3, V7 and V12 when stored bytes are not what was written. Method: the last line or batch torn at every byte; every single bit of a
/// small store flipped. A torn tail is dropped and reported; a flipped bit is refused as damage, or does not matter, but never shows another state.
/// </summary>
public sealed class DamageTests
{
    [Fact]
    public Task V3_V12_a_tail_torn_at_every_byte_leaves_the_state_before_it() =>
        RandomProgram.OfLength(6).SampleAsync(
            async program =>
            {
                var (rig, before, length) = await PrepareAsync(program);
                var log = await LogOfAsync(rig);
                var bytes = await rig.BytesAsync(log);
                for (var cut = length; cut < bytes.Length; cut++)
                {
                    var torn = rig.Survivor(CrashLoss.Nothing);
                    await torn.WriteAsync(log, bytes[..cut]);
                    await AssertTornTail(torn, log, before, cut > length, $"cut at {cut} of {length}..{bytes.Length}\n{program}");
                }
            },
            iter: 3 * RandomProgram.Factor,
            threads: 1);

    [Fact]
    public async Task V3_a_tail_torn_in_a_folder_is_dropped_and_nothing_is_cut()
    {
        using var folder = new TempFolder();
        var options = Runs.Options(Durability.Os);
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, options))
        {
            await store.SetAsync("kept", StoreReading.Element("""{"n":1}"""));
            await store.BatchAsync(b =>
            {
                b.Set("half", StoreReading.Element("""{"n":2}"""));
                b.Set("other half", StoreReading.Element("""{"n":3}"""));
            });
        }

        var path = Directory.GetFiles(folder["ops"], "ops-r*.jsonl").Single();
        var bytes = await File.ReadAllBytesAsync(path);
        await File.WriteAllBytesAsync(path, bytes[..^10]);
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, options))
        {
            Assert.Equal(["kept"], store.Keys);
            Assert.Contains(store.RecoveryReport.Notes, note => note.Kind == DamageKind.TornTail);
            await store.SetAsync("next", StoreReading.Element("""{"n":4}"""));
        }

        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, options))
            Assert.Equal(["kept", "next"], store.Keys.Order(StringComparer.Ordinal));
        Assert.True((await File.ReadAllBytesAsync(path)).AsSpan().StartsWith(bytes.AsSpan(0, bytes.Length - 10)));
    }

    [Fact]
    public async Task V3_strict_recovery_refuses_a_torn_tail_by_line()
    {
        var (rig, _, length) = await PrepareAsync(new RandomProgram([new Command.Set("a", """{"n":1}""")]));
        var log = await LogOfAsync(rig);
        var bytes = await rig.BytesAsync(log);
        await rig.WriteAsync(log, bytes[..(length + 5)]);
        var refusal = await Assert.ThrowsAsync<OpsLogException>(async () => await Runs.OpenAsync(rig, Runs.Options(change: o => o.Recovery = Recovery.Strict)));
        Assert.Equal(OpsLogError.Damaged, refusal.Error);
        Assert.Equal((log.Value, (long)length), (refusal.Damage!.File, refusal.Damage.Offset));
    }

    [Theory]
    [InlineData(true, SnapshotFormat.JsonLines)]
    [InlineData(true, SnapshotFormat.Json)]
    [InlineData(false, SnapshotFormat.JsonLines)]
    public async Task V7_no_flipped_bit_ever_shows_another_state(bool append, SnapshotFormat format)
    {
        var rig = await SmallStoreAsync(append, format);
        var truth = await EverythingAsync(rig);
        foreach (var (name, length) in await rig.LengthsAsync())
        {
            var key = new StorageKey(name);
            var bytes = await rig.BytesAsync(key);

            // Without its newline the last line is as good as torn: that one byte cannot be told from a crash.
            var end = name.StartsWith("ops/", StringComparison.Ordinal) && bytes is [.., (byte)'\n'] ? length - 1 : length;
            for (var bit = 0; bit < end * 8; bit++)
            {
                bytes[bit / 8] ^= (byte)(1 << bit % 8);
                await rig.WriteAsync(key, bytes);
                var shown = await EverythingAsync(rig);
                Assert.True(shown is null || shown == truth, $"V7: bit {bit % 8} of byte {bit / 8} in {name} flipped shows\n{shown}\ninstead of\n{truth}");
                bytes[bit / 8] ^= (byte)(1 << bit % 8);
            }

            await rig.WriteAsync(key, bytes);
        }

        Assert.Equal(truth, await EverythingAsync(rig));
    }

    [Fact]
    public async Task V12_a_snapshot_cut_anywhere_is_refused()
    {
        var rig = await SmallStoreAsync(append: true, SnapshotFormat.JsonLines);
        var name = (await rig.LengthsAsync()).Keys.Last(k => k.StartsWith("snapshots/", StringComparison.Ordinal));
        var bytes = await rig.BytesAsync(new StorageKey(name));
        for (var length = 0; length < bytes.Length; length++)
        {
            await rig.WriteAsync(new StorageKey(name), bytes[..length]);
            var refusal = await Assert.ThrowsAsync<OpsLogException>(async () => await Runs.OpenAsync(rig));
            Assert.Equal((OpsLogError.Damaged, name), (refusal.Error, refusal.Damage!.File));
        }
    }

    /// <summary>A store behind a program, with one batch more; the state before that batch and the log's length there.</summary>
    private static async Task<(StorageRig Rig, string Before, int Length)> PrepareAsync(RandomProgram program)
    {
        var rig = new StorageRig(append: true);
        var store = await Runs.OpenAsync(rig);
        foreach (var command in program.Commands)
        {
            if (command is Command.Reopen)
            {
                await store.DisposeAsync();
                store = await Runs.OpenAsync(rig);
            }
            else
            {
                await command.RunAsync(store);
            }
        }

        var before = Runs.Text(store);
        var length = (await rig.BytesAsync(await LogOfAsync(rig))).Length;
        await store.BatchAsync(b =>
        {
            b.Set("torn", StoreReading.Element("""{"text":"žluťoučký"}"""));
            b.Set("a", StoreReading.Element("""{"torn":true}"""));
        });
        var killed = rig.Survivor(CrashLoss.Nothing);
        await Runs.AbandonAsync(store);
        return (killed, before, length);
    }

    private static string Without(string text, string record) =>
        text.Contains('\n' + record, StringComparison.Ordinal) ? text.Replace('\n' + record, "", StringComparison.Ordinal)
        : text.StartsWith(record + '\n', StringComparison.Ordinal) ? text[(record.Length + 1)..]
        : text == record ? "" : $"{record} is not in\n{text}";

    private static async Task AssertTornTail(StorageRig torn, StorageKey log, string before, bool isReported, string context)
    {
        var cut = await torn.BytesAsync(log);
        await using (var reader = await Runs.OpenAsync(torn, Runs.Options(change: o => o.ReadOnly = true)))
            Assert.True(before == Runs.Text(reader), $"V3, read-only: {context}\n{Runs.Text(reader)}");
        await Runs.AssertSoundAsync(torn, context);
        await using (var store = await Runs.OpenAsync(torn))
        {
            Assert.True(before == Runs.Text(store), $"V3: {context}\n{Runs.Text(store)}");
            Assert.True(isReported == store.RecoveryReport.Notes.Count > 0, $"reported: {context}");
            await store.SetAsync("zz", StoreReading.Element("{}"));
        }

        await using (var store = await Runs.OpenAsync(torn))
            Assert.True(before == Without(Runs.Text(store), "zz = {}"), $"V12, behind the next write: {context}\n{Runs.Text(store)}");
        Assert.True((await torn.BytesAsync(log)).AsSpan().StartsWith(cut), $"V12: acknowledged bytes were cut: {context}");
    }

    /// <summary>A store of a few short lines in every kind of object.</summary>
    private static async Task<StorageRig> SmallStoreAsync(bool append, SnapshotFormat format)
    {
        var rig = new StorageRig(append);
        await using var store = await Runs.OpenAsync(rig, Runs.Options(change: o => o.SnapshotFormat = format));
        await store.SetAsync("a", StoreReading.Element("""{"n":1}"""));
        await store.SetAsync("b", StoreReading.Element("""{"n":2}"""));
        await store.SetAsync("c", StoreReading.Element("""{"n":3}"""));
        await store.ArchiveAsync(["c"], "2026");
        await store.CompactAsync();
        await store.SetAsync("a", StoreReading.Element("""{"n":4}"""));
        await store.BatchAsync(b =>
        {
            b.Set("d", StoreReading.Element("""{"n":5}"""));
            b.Delete("b");
        });
        return rig;
    }

    /// <summary>State, operations and archives as text; null where any of it is refused as damaged.</summary>
    private static async Task<string?> EverythingAsync(StorageRig rig)
    {
        try
        {
            await using var store = await Runs.OpenAsync(rig, Runs.Options(change: o => o.ReadOnly = true));
            var text = new StringBuilder(Runs.Text(store)).Append('\n');
            foreach (var period in store.Archives)
            {
                foreach (var (id, value) in await store.LoadArchiveAsync(period))
                    text.Append(period).Append(": ").Append(id).Append(" = ").Append(value.GetRawText()).Append('\n');
            }

            await foreach (var operation in store.OperationsAsync())
            {
                text.Append(operation.Kind).Append(' ').Append(operation.Id).Append(' ').Append(operation.Revision).Append(' ')
                    .Append(operation.Kind == OperationKind.Set ? operation.Value.GetRawText() : "").Append('\n');
            }

            return text.ToString();
        }
        catch (OpsLogException e) when (e.Error is OpsLogError.Damaged or OpsLogError.TooNew)
        {
            return null;
        }
    }

    private static async Task<StorageKey> LogOfAsync(StorageRig rig)
    {
        var manifest = JsonTree.Object(JsonTree.Parse(await rig.BytesAsync(new StorageKey("manifest.json"))));
        return new StorageKey((string)manifest["activeOps"]!);
    }
}
