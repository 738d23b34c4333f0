using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a process that was stopped in the middle of changing the manifest holds others up, and they say so; it is not taken for others that are
/// quicker. Method: a storage that says the manifest is held, and a clock that goes on by itself.
/// </summary>
public sealed class HeldManifestTests
{
    [Fact]
    public async Task F21_a_write_that_needs_a_held_manifest_says_so_and_works_once_it_is_free()
    {
        var disk = new MemoryStorage();
        await using (var first = await Lab.OpenAsync(disk)) await first.SetAsync("k", Lab.Doc(1));
        var held = new HeldStorage(disk);
        var time = new HastyTime();
        await using var a = await Lab.OpenAsync(held, Lab.Options(o => (o.AgentId, o.TimeProvider) = ("A", time)));
        held.Holds = true;
        var refusal = await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await a.SetAsync("a", Lab.Doc(2)));
        Assert.True(refusal.IsTransient);
        Assert.Contains("process 42", refusal.Message, StringComparison.Ordinal);
        Assert.True(time.Waited >= TimeSpan.FromMinutes(1), $"{time.Waited}");
        Assert.Equal(0, a.Statistics.ManifestConflicts);
        Assert.Equal("k = {\"n\":1}", Runs.Text(a));
        held.Holds = false;
        await a.SetAsync("a", Lab.Doc(3));
        Assert.Equal("a = {\"n\":3}\nk = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task In_a_folder_who_waits_for_it_looks_less_and_less_often()
    {
        using var folder = new TempFolder();
        var key = new StorageKey("manifest.json");
        await using var other = new FileStorage(folder["store"]);
        await other.PutAsync(key, new MemoryStream("{}"u8.ToArray()), PutCondition.IfAbsent, default);
        Assert.True((await other.AppendAsync(key, "\n"u8.ToArray(), 2, Flush.Written, default)).IsStored); // holds it now
        var time = new HastyTime();
        await using var storage = new FileStorage(folder["store"], new FileStorageOptions { TimeProvider = time });
        var refused = await storage.PutAsync(key, new MemoryStream("{}"u8.ToArray()), PutCondition.Always, default);
        Assert.Equal(PutOutcome.Held, refused.Outcome);
        Assert.Equal(TimeSpan.FromMilliseconds(2), time.Waits.First());
        Assert.Equal(TimeSpan.FromMilliseconds(32), time.Waits.Last());
        Assert.Equal(time.Waits.Order(), time.Waits);
        Assert.InRange(time.Waits.Count, 200, 300); // 2,500 at the first pace
        Assert.InRange(time.Waited, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(5.1));
    }
}
