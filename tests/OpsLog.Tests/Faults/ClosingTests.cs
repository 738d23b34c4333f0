using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: closing while a checkpoint runs keeps everything acknowledged, ends, and throws nothing (docs/faults.md, bug 38). Method: a checkpoint,
/// asked for or by itself, is held at each object that it writes; writes go on beside it, then the store is closed and the checkpoint let go.
/// </summary>
public sealed class ClosingTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("snapshots/", true)]
    [InlineData("snapshots/", false)]
    [InlineData("ops/ops-", true)]
    [InlineData("ops/ops-", false)]
    [InlineData("ops/history-", true)]
    [InlineData("ops/history-", false)]
    [InlineData("manifest.json", true)]
    [InlineData("manifest.json", false)]
    public async Task Bug38_closing_while_a_checkpoint_is_held_keeps_all_that_was_acknowledged(string held, bool demanded)
    {
        var disk = new MemoryStorage();
        var hooked = new HookedStorage(disk);
        var gate = new Gate();
        var store = await Lab.OpenAsync(hooked, Lab.Options(o =>
        {
            o.Checkpoint.Automatic = !demanded;
            (o.Checkpoint.MinimumOperations, o.Checkpoint.MinimumBytes) = (4, 0);
        }));
        hooked.Before = (call, key) => call == StorageCalls.Put && key.Value.StartsWith(held, StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        for (var i = 0; i < 4; i++) await store.SetAsync($"{i}", Lab.Doc(i));
        var checkpoint = demanded ? Task.Run(async () => await store.CompactAsync()) : Task.CompletedTask;
        await gate.Arrived.WaitAsync(s_patience);
        var last = Task.Run(async () => await store.SetAsync("last", Lab.Doc(9)));
        if (held != "manifest.json") await last.WaitAsync(s_patience); // at the swap it waits for its turn

        var closing = Task.Run(async () => await store.DisposeAsync());
        await Task.WhenAny(closing, Task.Delay(50));
        gate.Open();
        await closing.WaitAsync(s_patience);
        await EndsAsync(checkpoint);
        var isAcknowledged = await EndsAsync(last);
        Assert.True(isAcknowledged || held == "manifest.json");
        var state = "0 = {\"n\":0}\n1 = {\"n\":1}\n2 = {\"n\":2}\n3 = {\"n\":3}" + (isAcknowledged ? "\nlast = {\"n\":9}" : "");
        Assert.Equal(state, await Lab.StateAsync(disk));
        Assert.Null((await Lab.ManifestAsync(disk))["opslog"]!["exclusive"]); // signed off
        Assert.Empty((await OpsStore.VerifyAsync(disk)).Damages);
    }

    // False: it was refused, because the store was closed first.
    private static async Task<bool> EndsAsync(Task work)
    {
        try
        {
            await work.WaitAsync(s_patience);
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }
}
