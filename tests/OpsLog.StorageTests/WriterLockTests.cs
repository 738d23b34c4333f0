// Goal: an object that is appended to has one living writer, whatever dies when (F19, F22; bugs 49, 52, 54 of the npm package).
// Method: real processes that are killed, and many instances in this one that take and release as fast as they can.
using Microsoft.Extensions.Time.Testing;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class WriterLockTests : IDisposable
{
    private const string Log = "ops/agent-a-r000000000001-0123abcd.jsonl";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private FileStorage Open() => new(_folder.Path);

    [Fact]
    public async Task What_another_process_appends_to_is_held_until_it_lets_go()
    {
        await using var storage = Open();
        await storage.Put(Log, "");
        await using var other = HelperProcess.Start(_folder.Path);
        Assert.Equal("Stored", await other.AskAsync($"append {Log} 0 abc"));
        var refused = await storage.Append(Log, 3, "x");
        Assert.Equal(PutOutcome.Held, refused.Outcome);
        Assert.Contains($"process {other.Id} ", refused.Detail, StringComparison.Ordinal);
        Assert.Equal("abc", await storage.Read(Log)); // readers are never kept out
        Assert.Equal("Released", await other.AskAsync($"release {Log}"));
        Assert.True((await storage.Append(Log, 3, "x")).IsStored);
        Assert.Equal("Held", await other.AskAsync($"append {Log} 4 y"));
    }

    [Fact]
    public async Task F22_What_a_killed_process_held_can_be_taken_at_once()
    {
        await using var storage = Open();
        await storage.Put(Log, "");
        await using var other = HelperProcess.Start(_folder.Path);
        Assert.Equal("Stored", await other.AskAsync($"append {Log} 0 abc"));
        await other.KillAsync();
        Assert.True(File.Exists(_folder.File(Log + ".lock")));
        Assert.True((await storage.Append(Log, 3, "d")).IsStored);
        await storage.Release(Log);
        Assert.False(File.Exists(_folder.File(Log + ".lock")));
        Assert.Equal("abcd", await storage.Read(Log));
    }

    [Fact]
    public async Task Bug49_Of_many_processes_that_take_what_a_dead_one_held_exactly_one_gets_it()
    {
        await using var storage = Open();
        const string log = "ops/ops-r000000000001-0123abcd.jsonl"; // with the lock file of the whole store
        await storage.Put(log, "");
        var helpers = Enumerable.Range(0, 4).Select(_ => HelperProcess.Start(_folder.Path)).ToList();
        foreach (var helper in helpers) await helper.AskAsync("warm up");
        var dead = await DeadProcessAsync();
        string?[] left = [null, $"{dead}", $"{dead} 0123456789abcdef-1", $"{Environment.ProcessId} 0123456789abcdef-9"];
        for (var round = 0; round < 40; round++)
        {
            if (left[round % left.Length] is { } text) await File.WriteAllTextAsync(_folder.File(".lock"), text);
            var answers = await Task.WhenAll(helpers.Select(helper => helper.AskAsync($"append {log} 0")));
            var winner = Assert.Single(Enumerable.Range(0, helpers.Count), i => answers[i] == "Stored");
            Assert.All(answers.Where(answer => answer != "Stored"), answer => Assert.Equal("Held", answer));
            Assert.StartsWith($"{helpers[winner].Id} ", await File.ReadAllTextOrEmptyAsync(_folder.File(".lock")), StringComparison.Ordinal);
            await helpers[winner].AskAsync($"release {log}");
            Assert.False(File.Exists(_folder.File(".lock")));
        }

        foreach (var helper in helpers) await helper.DisposeAsync();
    }

    [Fact]
    public async Task Instances_that_take_and_release_at_once_never_hold_together()
    {
        await Open().Put(Log, "");
        var holders = 0;
        var taken = 0;
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
        {
            await using var storage = Open();
            for (var i = 0; i < 300; i++)
            {
                if (!(await storage.Append(Log, 0)).IsStored) continue;
                Assert.Equal(1, Interlocked.Increment(ref holders));
                Interlocked.Increment(ref taken);
                await Task.Yield();
                Interlocked.Decrement(ref holders);
                await storage.Release(Log);
            }
        })));
        Assert.True(taken > 0);
        Assert.Empty(Directory.GetFiles(_folder.File("ops"), "*.lock"));
    }

    [Fact]
    public async Task Bug52_A_late_release_leaves_the_next_holders_lock_file()
    {
        await using var storage = Open();
        await storage.Put(Log, "");
        Assert.True((await storage.Append(Log, 0)).IsStored);
        File.Delete(_folder.File(Log + ".lock")); // as a careless person would
        await using var next = Open();
        Assert.True((await next.Append(Log, 0)).IsStored);
        await storage.Release(Log);
        Assert.True(File.Exists(_folder.File(Log + ".lock")));
        Assert.Equal(PutOutcome.Held, (await storage.Append(Log, 0)).Outcome);
    }

    [Fact]
    public async Task Disposing_releases_everything_and_leaves_no_lock_file()
    {
        var storage = Open();
        foreach (var log in (string[])[Log, "ops/ops-1.jsonl", "ops/ops-2.jsonl"])
        {
            await storage.Put(log, "");
            Assert.True((await storage.Append(log, 0, "x")).IsStored);
        }

        await storage.DisposeAsync();
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.lock", SearchOption.AllDirectories));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => storage.Append(Log, 1));
    }

    [Fact]
    public async Task A_conflict_at_the_first_append_holds_nothing()
    {
        await using var storage = Open();
        await storage.Put("ops/ops-1.jsonl", "abc");
        Assert.Equal(PutOutcome.Conflict, (await storage.Append("ops/ops-1.jsonl", 2)).Outcome);
        Assert.Equal(PutOutcome.Conflict, (await storage.Append("ops/ops-2.jsonl", 0)).Outcome);
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.lock", SearchOption.AllDirectories));
        await using var other = Open();
        Assert.True((await other.Append("ops/ops-1.jsonl", 3)).IsStored);
    }

    [Fact]
    public async Task What_a_living_writer_appends_to_is_neither_replaced_nor_deleted_by_others()
    {
        await using var storage = Open();
        await storage.Put(Log, "abc");
        Assert.True((await storage.Append(Log, 3)).IsStored);
        var time = new FakeTimeProvider();
        await using var other = new FileStorage(_folder.Path, new FileStorageOptions { TimeProvider = time });
        Assert.Equal(PutOutcome.Held, (await time.DriveAsync(other.Put(Log, "no"))).Outcome);
        var refused = await Assert.ThrowsAsync<StorageException>(() => time.DriveAsync(other.Delete(Log)));
        Assert.Equal(StorageFault.Unavailable, refused.Fault);
        Assert.Equal("abc", await other.Read(Log));
    }

    [Fact]
    public async Task An_append_to_a_held_object_completes_at_once_and_allocates_nothing()
    {
        await using var storage = Open();
        await storage.Put(Log, "");
        var (key, bytes, length) = (new StorageKey(Log), new byte[100].AsMemory(), 0L);
        await storage.AppendAsync(key, bytes, length, Flush.Written, default);
        await storage.AppendAsync(key, bytes, length += 100, Flush.Synced, default);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            var append = storage.AppendAsync(key, bytes, length += 100, Flush.Written, default);
            if (!append.IsCompletedSuccessfully || !(await append).IsStored) Assert.Fail("Not at once.");
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private async Task<int> DeadProcessAsync()
    {
        await using var helper = HelperProcess.Start(_folder.Path);
        await helper.KillAsync();
        return helper.Id;
    }
}
