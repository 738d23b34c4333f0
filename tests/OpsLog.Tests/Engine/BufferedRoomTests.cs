using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: at <see cref="Durability.Buffered"/> writers that are faster than the storage wait for it, before they fill the memory. Method: a storage whose
/// log takes nothing until it is told to; documents of a MiB each.
/// </summary>
public sealed class BufferedRoomTests
{
    private const int MegabytesOfRoom = 64;
    private static readonly JsonElement s_mebibyte = JsonSerializer.SerializeToElement(new { text = new string('x', 1 << 20) });

    private static readonly OpsStoreOptions s_buffered = new() { Durability = Durability.Buffered, Checkpoint = new CheckpointOptions { Automatic = false } };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Writes_wait_while_as_much_waits_for_the_storage_as_may(bool append)
    {
        var (takes, isOpen) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), false);
        var storage = new HookedStorage(new MemoryStorage(append));
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, s_buffered);
        storage.Before = (call, key) => isOpen && call is StorageCalls.Append or StorageCalls.Put && key.Value.StartsWith("ops/", StringComparison.Ordinal) ? takes.Task : Task.CompletedTask;
        isOpen = true;
        for (var i = 0; i < MegabytesOfRoom; i++) await store.SetAsync($"document-{i}", s_mebibyte);

        var waits = new[] { store.SetAsync("waits", s_mebibyte).AsTask(), store.BatchAsync(b => b.Set("waits, too", s_mebibyte)).AsTask(), store.DeleteAsync("document-0").AsTask() };
        Assert.All(waits, write => Assert.False(write.IsCompleted));
        using var cancellation = new CancellationTokenSource();
        var cancelled = store.SetAsync("cancelled", s_mebibyte, cancellationToken: cancellation.Token).AsTask();
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.Equal(MegabytesOfRoom, store.Count); // none of it is there

        takes.SetResult();
        await Task.WhenAll(waits);
        Assert.Equal(MegabytesOfRoom + 1, store.Count);
    }

    [Fact]
    public async Task A_write_that_waited_for_a_flush_that_fails_is_refused()
    {
        var takes = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var storage = new HookedStorage(new MemoryStorage());
        var store = await OpsStore<JsonElement>.OpenAsync(storage, s_buffered);
        storage.Before = (call, _) => call == StorageCalls.Append ? takes.Task : Task.CompletedTask;
        for (var i = 0; i < MegabytesOfRoom; i++) await store.SetAsync($"document-{i}", s_mebibyte);
        var waits = store.SetAsync("waits", s_mebibyte).AsTask();

        takes.SetException(new StorageException(StorageFault.Broken, "the medium is gone"));

        var refused = await Assert.ThrowsAsync<OpsLogException>(() => waits);
        Assert.Equal(OpsLogError.ReadOnly, refused.Error);
        Assert.False(store.ContainsKey("waits"));
        await Assert.ThrowsAsync<OpsLogException>(async () => await store.DisposeAsync());
    }
}
