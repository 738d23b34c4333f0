using System.Text.Json;
using OpsLog.Engine;
using OpsLog.Testing;
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

    [Fact]
    public void A_document_that_is_too_long_is_refused_before_anything_is_written()
    {
        DocumentLimits.CheckLength("a", DocumentLimits.MaxBytes);
        var refusal = Assert.Throws<OpsLogException>(() => DocumentLimits.CheckLength("a", DocumentLimits.MaxBytes + 1));
        Assert.Equal(OpsLogError.InvalidDocument, refusal.Error);
    }
}
