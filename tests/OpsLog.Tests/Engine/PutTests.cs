using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: what a put leaves for the next one to use again never shows in it. Method: calls given up half-way.</summary>
public sealed class PutTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly OpsStoreOptions s_os = new() { Durability = Durability.Os, Checkpoint = new CheckpointOptions { Automatic = false } };

    [Fact]
    public async Task A_put_that_is_cancelled_while_it_waits_is_nobody_elses()
    {
        var storage = new HookedStorage(new MemoryStorage());
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, s_os);
        for (var round = 0; round < 20; round++)
        {
            var gate = new Gate();
            storage.Before = (call, _) => call == StorageCalls.Append ? gate.PassAsync() : Task.CompletedTask;
            using var cancellation = new CancellationTokenSource();
            var leads = store.SetAsync("leads", Number(round)).AsTask();
            await gate.Arrived.WaitAsync(s_patience); // who led the round before may not have given up the lead, and writes this one in a moment
            var cancelled = store.SetAsync("cancelled", Number(round), cancellationToken: cancellation.Token).AsTask();
            await cancellation.CancelAsync();
            var waits = Enumerable.Range(0, 3).Select(i => store.SetAsync($"waits-{i}", Number(round + i)).AsTask()).ToArray();
            Assert.All([leads, .. waits], task => Assert.False(task.IsCompleted));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);

            gate.Open();
            var revisions = await Task.WhenAll([leads, .. waits]).WaitAsync(s_patience);

            Assert.Equal([.. Enumerable.Range((4 * round) + 1, 4).Select(clock => (long)clock)], revisions.Select(r => r.Clock));
            Assert.Equal(round, Read(store, "leads"));
            Assert.Equal([round, round + 1, round + 2], Enumerable.Range(0, 3).Select(i => Read(store, $"waits-{i}")));
            Assert.False(store.ContainsKey("cancelled"));
        }
    }

    [Fact]
    public async Task A_change_that_a_batch_could_not_take_leaves_nothing_in_it_or_the_next()
    {
        await using var store = await OpsStore<Changing>.OpenAsync(new MemoryStorage(), s_os);
        for (var round = 0; round < 10; round++)
        {
            var number = round;
            await store.BatchAsync(batch =>
            {
                batch.Set("before", new Changing(number, false));
                Assert.Throws<OpsLogException>(() => batch.Set("broken", new Changing(number, true)));
                for (var i = 0; i <= number * 50; i++) batch.Set($"after-{i}", new Changing(number + i, false));
            });

            Assert.Equal(number, store["before"].Number);
            Assert.False(store.ContainsKey("broken"));
            Assert.All(Enumerable.Range(0, (number * 50) + 1), i => Assert.Equal(number + i, store[$"after-{i}"].Number));
        }
    }

    [Fact]
    public async Task Buffered_puts_of_several_megabytes_are_all_in_the_log_after_a_flush()
    {
        var disk = new CrashableStorage(append: true);
        var store = await OpsStore<JsonElement>.OpenAsync(disk, new OpsStoreOptions { Durability = Durability.Buffered, FlushInterval = TimeSpan.FromHours(1), Checkpoint = s_os.Checkpoint });
        var text = new string('x', 3_000);
        for (var i = 0; i < 1_000; i++)
        {
            var number = i;
            await store.SetAsync($"single-{number}", StoreReading.Element($$"""{"number":{{number}},"text":"{{text}}"}"""));
            if (i % 100 == 0) await store.BatchAsync(batch => Array.ForEach([.. Enumerable.Range(0, 50)], j => batch.Set($"batch-{number}-{j}", Number(j))));
        }

        await store.FlushAsync();

        await using var reopened = await OpsStore<JsonElement>.OpenAsync(disk.Reopen(CrashLoss.Unsynced, 0), new OpsStoreOptions { ReadOnly = true });
        Assert.Equal(1_000 + (10 * 50), reopened.Count);
        Assert.Empty(reopened.RecoveryReport.Notes);
        Assert.All(Enumerable.Range(0, 1_000), i => Assert.Equal(i, Read(reopened, $"single-{i}")));
    }

    private static JsonElement Number(int number) => StoreReading.Element($$"""{"number":{{number}}}""");

    private static int Read(OpsStore<JsonElement> store, string id) => store[id].GetProperty("number").GetInt32();

    private sealed record Changing(int Number, bool Breaks)
    {
        public string Text => Breaks ? throw new InvalidOperationException("It cannot be written.") : "text";
    }
}
