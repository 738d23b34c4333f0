// Goal: a failure of the file system is told apart from "not there", and says what to do (F9, F12, K9; bug 30), and nothing is written
// outside the root (I7, F35). Method: faults that root meets too: loops, folders in the way, limits of the process, links.
using OpsLog.Storage;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class FileFaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private FileStorage Open() => new(_folder.Path);

    private static async Task<StorageFault> FaultOf(Func<Task> call) => (await Assert.ThrowsAsync<StorageException>(call)).Fault;

    [Fact]
    public async Task Reading_listing_and_deleting_make_no_folder()
    {
        await using var storage = Open();
        Assert.Null(await storage.Read("manifest.json"));
        Assert.Null(await storage.Read("ops/x"));
        Assert.Empty(await storage.Names());
        await storage.Delete("ops/x");
        Assert.Equal(PutOutcome.Conflict, (await storage.Append("ops/ops-x.jsonl", 0)).Outcome);
        Assert.Equal(PutOutcome.Conflict, (await storage.Put("x", "", PutCondition.IfVersion(new("1")))).Outcome);
        Assert.False(Directory.Exists(_folder.Path));
    }

    [Fact]
    public async Task The_first_write_makes_the_root_with_its_parents()
    {
        await using var storage = new FileStorage(_folder.File("deep/er"));
        Assert.True((await storage.Put("a/b/c", "x")).IsStored);
        Assert.Equal("x", await File.ReadAllTextAsync(_folder.File("deep/er/a/b/c")));
    }

    [Fact]
    public async Task Bug30_An_unreadable_manifest_is_a_failure_and_not_a_new_store()
    {
        await using var storage = Open();
        await storage.Put("x", "");
        File.CreateSymbolicLink(_folder.File("manifest.json"), "manifest.json"); // ELOOP, for root too
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Read("manifest.json")));
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Put("manifest.json", "new")));
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Append("manifest.json", 0)));
    }

    [Fact]
    public async Task A_folder_in_an_objects_place_is_a_failure_for_every_verb_and_stays()
    {
        await using var storage = Open();
        await storage.Put("ops/x/y", "1");
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Read("ops/x")));
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Put("ops/x", "2")));
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Put("ops/x", "2", PutCondition.IfVersion(new("1")))));
        Assert.Equal(PutOutcome.Conflict, (await storage.Put("ops/x", "2", PutCondition.IfAbsent)).Outcome);
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Append("ops/x", 0)));
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Delete("ops/x")));
        Assert.Equal(["ops/x/y"], await storage.Names());
        Assert.Equal(["y"], Directory.GetFiles(_folder.File("ops/x")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_file_where_a_folder_should_be_reads_as_absent_and_refuses_writes()
    {
        await using var storage = Open();
        await storage.Put("ops", "a file");
        Assert.Null(await storage.Read("ops/x"));
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Put("ops/x", "")));
        await storage.Delete("ops/x");
        Assert.Equal("a file", await storage.Read("ops"));
    }

    [Fact]
    public async Task A_place_where_nothing_may_be_written_is_denied()
    {
        if (!OperatingSystem.IsLinux()) return; // the only place that refuses root as well
        await using var storage = new FileStorage("/sys/kernel/opslog-test");
        Assert.Null(await storage.Read("manifest.json"));
        Assert.Equal(StorageFault.Denied, await FaultOf(() => storage.Put("manifest.json", "")));
    }

    [Fact]
    public async Task F12_Too_many_open_files_is_throttled_and_not_absent()
    {
        if (OperatingSystem.IsWindows()) return; // no such limit
        await using var storage = Open();
        await storage.Put("manifest.json", "x");
        await using var helper = HelperProcess.Start(_folder.Path, "ulimit -n 200");
        Assert.Equal("Throttled False", await helper.AskAsync("exhaust-then-read manifest.json"));
    }

    [Fact]
    public async Task F9_No_room_is_full_and_says_whether_bytes_arrived()
    {
        if (OperatingSystem.IsWindows()) return; // no such limit
        await using var storage = Open();
        await storage.Put("ops/x.jsonl", "");
        await storage.Put("archive/kept", "old");
        await using (var helper = HelperProcess.Start(_folder.Path, "trap '' XFSZ; ulimit -f 64")) // blocks of 512 or 1,024 bytes
        {
            Assert.Equal("Stored", await helper.AskAsync("fill ops/x.jsonl 0 1000"));
            Assert.Equal("Full True", await helper.AskAsync("fill ops/x.jsonl 1000 200000")); // some arrived
            var length = new FileInfo(_folder.File("ops/x.jsonl")).Length;
            Assert.InRange(length, 32 << 10, 64 << 10);
            Assert.Equal("Conflict", await helper.AskAsync("fill ops/x.jsonl 1000 1")); // the length is read again after a failure
            Assert.Equal("Full False", await helper.AskAsync($"fill ops/x.jsonl {length} 1")); // none arrived
            Assert.Equal("Full False", await helper.AskAsync("put archive/kept 200000"));
            Assert.Equal("Full False", await helper.AskAsync("put archive/new 200000"));
        }

        Assert.Equal("old", await storage.Read("archive/kept"));
        Assert.Equal(["archive/kept", "ops/x.jsonl"], await storage.Names());
        Assert.Equal(["kept"], Directory.GetFiles(_folder.File("archive")).Select(Path.GetFileName)); // no temporary file either
    }

    [Theory]
    [InlineData(30, "Broken True", "Denied False")]  // EROFS: the file system was made read-only for its errors
    [InlineData(5, "Broken True", "Broken False")]   // EIO
    [InlineData(22, "Stored", "Stored")]             // EINVAL: there is nothing to sync
    public async Task F11_A_sync_that_was_refused_is_never_taken_for_one(int error, string append, string put)
    {
        if (!RefusedSyncs.CanBe) return;
        await using (var storage = Open()) await storage.Put("ops/x.jsonl", "");
        await using var helper = HelperProcess.Start(_folder.Path);
        Assert.Equal("Stored", await helper.AskAsync("append-synced ops/x.jsonl 0 a"));
        Assert.Equal("Refused", await helper.AskAsync($"refuse-syncs {error}"));
        Assert.Equal(append, await helper.AskAsync("append-synced ops/x.jsonl 1 b"));
        Assert.Equal(put, await helper.AskAsync("put ops/y 10"));
    }

    [Fact]
    public async Task F9_Without_room_objects_can_be_deleted_and_locked_all_the_same()
    {
        if (OperatingSystem.IsWindows()) return; // no such limit
        await using var storage = Open();
        foreach (var name in (string[])["archive/old", "archive/held", "archive/log"]) await storage.Put(name, "x");
        await storage.Append("archive/held", 1);
        await File.WriteAllTextAsync(_folder.File("archive/old.lock"), "1 left-behind-by-who-is-dead");
        await using (var helper = HelperProcess.Start(_folder.Path, "trap '' XFSZ; ulimit -f 0"))
        {
            Assert.Equal("Deleted", await helper.AskAsync("delete archive/old"));
            Assert.Equal("Unavailable False", await helper.AskAsync("delete archive/held")); // ours to append to
            Assert.Equal("Stored", await helper.AskAsync("append archive/log 1"));
            Assert.Equal(PutOutcome.Held, (await storage.Append("archive/log", 1, "y")).Outcome);
            Assert.Equal("Full False", await helper.AskAsync("append archive/log 1 z"));
            Assert.Equal(["held", "held.lock", "log", "log.lock"], Files());
            Assert.Equal("Released", await helper.AskAsync("release archive/log"));
            Assert.Equal(["held", "held.lock", "log"], Files());
            Assert.Equal("Stored", await helper.AskAsync("append archive/log 1"));
        }

        Assert.True((await storage.Append("archive/log", 1, "y")).IsStored); // the lock went with the process
        Assert.Equal(["archive/held", "archive/log"], await storage.Names());

        IEnumerable<string?> Files() => Directory.GetFiles(_folder.File("archive")).Select(Path.GetFileName).Order(StringComparer.Ordinal);
    }

    [Theory]
    [InlineData("archive")] // the folder
    [InlineData("archive/x")] // the object itself
    public async Task Nothing_is_written_through_a_link_that_leads_outside(string link)
    {
        await using var storage = Open();
        await storage.Put("manifest.json", "");
        var outside = Directory.CreateDirectory(Path.Combine(_folder.Outside, "outside")).FullName;
        await File.WriteAllTextAsync(Path.Combine(outside, "x"), "theirs");
        if (link == "archive") Directory.CreateSymbolicLink(_folder.File("archive"), outside);
        else
        {
            Directory.CreateDirectory(_folder.File("archive"));
            File.CreateSymbolicLink(_folder.File("archive/x"), Path.Combine(outside, "x"));
        }

        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Put("archive/x", "ours")));
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Append("archive/x", 6, "ours")));
        Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Delete("archive/x")));
        Assert.Equal(["x"], Directory.GetFileSystemEntries(outside).Select(Path.GetFileName));
        Assert.Equal("theirs", await File.ReadAllTextAsync(Path.Combine(outside, "x")));
    }

    [Fact]
    public async Task The_root_itself_may_be_a_link()
    {
        Directory.CreateDirectory(Path.Combine(_folder.Outside, "real"));
        Directory.CreateSymbolicLink(_folder.Path, "real");
        await using var storage = Open();
        Assert.True((await storage.Put("ops/ops-x.jsonl", "")).IsStored);
        Assert.True((await storage.Append("ops/ops-x.jsonl", 0, "a")).IsStored);
        Assert.Equal("a", await File.ReadAllTextAsync(Path.Combine(_folder.Outside, "real", "ops", "ops-x.jsonl")));
    }

    [Fact]
    public async Task Names_of_lock_and_temporary_files_are_no_objects()
    {
        await using var storage = Open();
        await storage.Put("a", "");
        foreach (var name in (string[])[".lock", "a.lock", ".a.0123456789abcdef.tmp"])
        {
            await File.WriteAllTextAsync(_folder.File(name), "x");
            Assert.Null(await storage.Read(name));
            Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Put(name, "y")));
            Assert.Equal(StorageFault.BadName, await FaultOf(() => storage.Append(name, 1, "y")));
            await storage.Delete(name);
            Assert.Equal("x", await File.ReadAllTextAsync(_folder.File(name)));
        }

        await File.WriteAllTextAsync(_folder.File("no\u0001key"), "x");
        if (!OperatingSystem.IsWindows()) await File.WriteAllTextAsync(_folder.File("no\\key"), "x");
        Assert.Equal(["a"], await storage.Names());
    }
}
