using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>Goal: an update runs its function again when the record was written meanwhile, and for nothing else. Method: a manifest that others keep changing; a write in the middle of the function.</summary>
public sealed class UpdateTests
{
    [Fact]
    public async Task A_conflict_about_the_manifest_is_the_callers()
    {
        var disk = new MemoryStorage();
        await using (var first = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "B"))) await first.SetAsync("k", Lab.Doc(1));
        var isBusy = false;
        var hooked = new HookedStorage(disk)
        {
            Before = async (call, key) =>
            {
                if (isBusy && call == StorageCalls.Put && key == Lab.Manifest) await Lab.ChangeAsync(disk, key, bytes => [.. bytes, (byte)'\n']);
            },
        };
        var store = await Lab.OpenAsync(hooked, Lab.Options(o => (o.AgentId, o.TimeProvider) = ("A", new HastyTime())));
        isBusy = true;
        var calls = 0;
        await Lab.RefusedAsync(OpsLogError.Conflict, async Task () => await store.UpdateAsync("k", document => ++calls > 3 ? throw new InvalidOperationException("again and again") : document));
        Assert.Equal(1, calls);
        isBusy = false;
        await store.UpdateAsync("k", _ => Lab.Doc(2));
        await store.DisposeAsync();
        Assert.Equal("k = {\"n\":2}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task A_write_in_the_middle_of_it_makes_it_begin_anew()
    {
        await using var store = await Lab.OpenAsync(new MemoryStorage());
        await store.SetAsync("k", Lab.Doc(1));
        var calls = 0;
        await store.UpdateAsync("k", document =>
        {
            if (++calls < 3) store.SetAsync("k", Lab.Doc(10 * calls)).AsTask().Wait();
            return Lab.Doc(Lab.N(document) + 1);
        });
        Assert.Equal((3, "k = {\"n\":21}"), (calls, Runs.Text(store)));
    }
}
