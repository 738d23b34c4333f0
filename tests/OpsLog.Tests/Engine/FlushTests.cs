using System.Text.Json;
using OpsLog.Engine;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: FlushAsync keeps its promise at every level. Method: storage that loses what was not synced.</summary>
public sealed class FlushTests
{
    [Theory]
    [InlineData(Durability.Os, true)]
    [InlineData(Durability.Buffered, true)]
    [InlineData(Durability.Disk, true)]
    [InlineData(Durability.Os, false)]
    [InlineData(Durability.Buffered, false)]
    public async Task What_was_written_before_a_flush_survives_a_power_loss(Durability durability, bool append)
    {
        var disk = new CrashableStorage(append);
        var store = await OpsStore<JsonElement>.OpenAsync(disk, new OpsStoreOptions { Durability = durability });
        await store.SetAsync("a", Corpus.StoreReading.Element("{}"));
        await store.FlushAsync();
        await store.FlushAsync();

        await using var reopened = await OpsStore<JsonElement>.OpenAsync(disk.Reopen(CrashLoss.Unsynced, 0), new OpsStoreOptions { ReadOnly = true });
        Assert.True(reopened.ContainsKey("a"));
    }

    /// <summary>The log that an agent leaves for a checkpoint is synced while it goes on writing.</summary>
    [Fact]
    public async Task A_flush_beside_an_agents_checkpoint_covers_the_log_that_was_left()
    {
        var disk = new CrashableStorage();
        var (gate, holds) = (new Gate(), false);
        var hooked = new HookedStorage(disk) { Before = (call, _) => call == StorageCalls.Append && Interlocked.Exchange(ref holds, false) ? gate.PassAsync() : Task.CompletedTask };
        await using var store = await Lab.OpenAsync(hooked, Lab.Options(o => (o.Durability, o.AgentId) = (Durability.Os, "A")));
        await store.SetAsync("a", Lab.Doc(1));
        holds = true;
        var checkpoint = store.CompactAsync().AsTask();
        await gate.Arrived;
        var flush = store.FlushAsync().AsTask();
        await store.SetAsync("b", Lab.Doc(2)); // which nothing keeps waiting
        var (hasFlushed, hasEnded) = (flush.IsCompleted, checkpoint.IsCompleted);
        gate.Open();
        Assert.False(hasFlushed);
        Assert.False(hasEnded);
        await flush;
        await checkpoint;
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", await Lab.StateAsync(disk.Reopen(CrashLoss.Unsynced, 0)));
    }

    [Fact]
    public async Task A_flush_of_what_is_written_already_keeps_no_other_write_waiting()
    {
        var disk = new CrashableStorage();
        var (gate, holds) = (new Gate(), false);
        var hooked = new HookedStorage(disk) { Before = (call, _) => call == StorageCalls.Append && Interlocked.Exchange(ref holds, false) ? gate.PassAsync() : Task.CompletedTask };
        await using var store = await Lab.OpenAsync(hooked, Lab.Options(o => o.Durability = Durability.Os));
        await store.SetAsync("a", Lab.Doc(1));
        holds = true;
        var flush = store.FlushAsync().AsTask();
        await gate.Arrived;
        await store.SetAsync("b", Lab.Doc(2));
        var hasFlushed = flush.IsCompleted;
        gate.Open();
        Assert.False(hasFlushed);
        await flush;
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", await Lab.StateAsync(disk.Reopen(CrashLoss.Unsynced, 0)));
    }

    [Fact]
    public void A_document_that_is_too_long_is_refused_before_anything_is_written()
    {
        DocumentLimits.CheckLength("a", DocumentLimits.MaxBytes);
        var refusal = Assert.Throws<OpsLogException>(() => DocumentLimits.CheckLength("a", DocumentLimits.MaxBytes + 1));
        Assert.Equal(OpsLogError.InvalidDocument, refusal.Error);
    }
}
