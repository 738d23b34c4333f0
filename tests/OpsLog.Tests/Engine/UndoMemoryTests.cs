using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using OpsLog.Engine;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: an undo keeps no log in memory that a checkpoint has left behind. Method: a weak reference to the log's bytes, over a checkpoint and a collection.</summary>
public sealed class UndoMemoryTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_log_that_was_left_goes_after_an_undo(bool writesAfterIt)
    {
        await using var store = await Lab.OpenAsync(new MemoryStorage());
        for (var i = 0; i < 10; i++) await store.SetAsync($"k{i}", Lab.Doc(i));
        Assert.True(await store.UndoAsync());
        if (writesAfterIt) await store.SetAsync("more", Lab.Doc(0));
        var old = ExtentOf(store);
        await store.CompactAsync();
        for (var tries = 0; tries < 20 && IsAlive(old); tries++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            await Task.Delay(20);
        }

        Assert.False(IsAlive(old));
        Assert.True(await store.UndoAsync()); // and goes on where it was, in the history
        Assert.Equal(writesAfterIt ? 9 : 8, store.Count);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference<Extent> ExtentOf(OpsStore<JsonElement> store)
    {
        var engine = Field<StoreEngine>(store, "_engine");
        return new WeakReference<Extent>(Field<Writer>(engine, "_writer").Buffer.Extent);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsAlive(WeakReference<Extent> extent) => extent.TryGetTarget(out _);

    private static TField Field<TField>(object of, string name) => (TField)of.GetType().GetField(name, BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(of)!;
}
