// Goal: whole files appear at once or not at all, their versions never come back, and dead processes' leftovers go (K1, K2, K6; bugs 3, 5).
// Method: racing processes, a clock that stands still, and files made to look like what a crash leaves.
using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class FilePutTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task K1_K2_Of_several_processes_one_creates_and_one_swaps()
    {
        await using var storage = new FileStorage(_folder.Path);
        var helpers = Enumerable.Range(0, 4).Select(_ => HelperProcess.Start(_folder.Path)).ToList();
        foreach (var helper in helpers) await helper.AskAsync("warm up");
        for (var round = 0; round < 15; round++)
        {
            var key = $"manifest-{round}.json";
            Assert.Single(await Task.WhenAll(helpers.Select(helper => helper.AskAsync($"create {key} x"))), "Stored");
            await using var found = await storage.ReadAsync(new StorageKey(key), ByteRange.All, default);
            var answers = await Task.WhenAll(helpers.Select((helper, i) => helper.AskAsync($"swap {key} {found!.Version} {i}")));
            Assert.Single(answers, "Stored");
            Assert.Equal(3, answers.Count(answer => answer == "Conflict"));
            Assert.Equal(Array.IndexOf(answers, "Stored").ToString(CultureInfo.InvariantCulture), await storage.Read(key));
        }

        foreach (var helper in helpers) await helper.DisposeAsync();
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.lock"));
        Assert.Empty(Directory.GetFiles(_folder.Path, ".*"));
    }

    [Fact]
    public async Task F1_A_process_killed_while_it_replaces_leaves_a_whole_object_that_can_be_replaced()
    {
        const int length = 30_000;
        await using var storage = new FileStorage(_folder.Path);
        for (var round = 0; round < 8; round++)
        {
            await using var helper = HelperProcess.Start(_folder.Path);
            var last = await helper.AskAsync($"put-for-ever archive/x {length}");
            for (var i = 0; i < round; i++) last = await helper.ListenAsync();
            await helper.KillAsync();
            var found = (await storage.Read("archive/x"))!;
            var number = int.Parse(found[..10], CultureInfo.InvariantCulture);
            Assert.Equal(HelperProcess.Numbered(number, length), found);
            Assert.True(number >= int.Parse(last, CultureInfo.InvariantCulture), "What was acknowledged is there, or something later.");
            Assert.Equal(["archive/x"], await storage.Names());
            Assert.True((await storage.Put("archive/x", "ours")).IsStored);
        }
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100_000)] // too large for its content to be part of the version
    public async Task F18_Versions_differ_though_the_clock_stands_still_or_goes_back(int length)
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var versions = new List<StorageVersion>();
        for (var i = 0; i < 6; i++)
        {
            // A new instance each time, as another process would be: what it knows, it knows from the file.
            if (i == 3) time = new FakeTimeProvider(new DateTimeOffset(2001, 1, 1, 0, 0, 0, TimeSpan.Zero));
            await using var storage = new FileStorage(_folder.Path, new FileStorageOptions { TimeProvider = time });
            versions.Add((await storage.Put("manifest.json", new string((char)('a' + (i % 2)), length))).Version);
        }

        Assert.Equal(versions.Count, versions.Distinct().Count());
    }

    [Fact]
    public async Task A_change_by_another_program_changes_the_version_even_with_the_same_length_and_time()
    {
        await using var storage = new FileStorage(_folder.Path);
        var version = (await storage.Put("manifest.json", "aaaa")).Version;
        var time = File.GetLastWriteTimeUtc(_folder.File("manifest.json"));
        await File.WriteAllTextAsync(_folder.File("manifest.json"), "bbbb");
        File.SetLastWriteTimeUtc(_folder.File("manifest.json"), time);
        Assert.Equal(PutOutcome.Conflict, (await storage.Put("manifest.json", "cccc", PutCondition.IfVersion(version))).Outcome);
    }

    [Fact]
    public async Task A_crash_between_naming_and_tidying_leaves_one_object()
    {
        await using var storage = new FileStorage(_folder.Path);
        await storage.Put("ops/x", "1");
        await File.WriteAllTextAsync(_folder.File("ops/.x.0123456789abcdef.tmp"), "1"); // the name it had before
        await File.WriteAllTextAsync(_folder.File("ops/x.lock"), "1 0123456789abcdef-1");
        Assert.Equal(["ops/x"], await storage.Names());
        Assert.Equal(PutOutcome.Conflict, (await storage.Put("ops/x", "2", PutCondition.IfAbsent)).Outcome);
        Assert.True((await storage.Put("ops/x", "2")).IsStored);
        Assert.Equal("2", await storage.Read("ops/x"));
    }

    [Fact]
    public async Task Leftovers_of_dead_processes_go_with_the_first_write_to_their_folder_and_nothing_else_does()
    {
        Directory.CreateDirectory(_folder.File("ops"));
        var old = DateTime.SpecifyKind(new DateTime(2020, 1, 1), DateTimeKind.Utc);
        string[] kept = [".young.0123456789abcdef.tmp", ".living.0123456789abcdef.tmp", "theirs.tmp", ".theirs.tmp", ".x.0123456789ABCDEF.tmp", "object"];
        foreach (var name in (string[])[".dead.0123456789abcdef.tmp", .. kept])
        {
            await File.WriteAllTextAsync(_folder.File("ops/" + name), "x");
            if (name != ".young.0123456789abcdef.tmp") File.SetLastWriteTimeUtc(_folder.File("ops/" + name), old);
        }

        await using var storage = new FileStorage(_folder.Path);
        using (File.OpenHandle(_folder.File("ops/.living.0123456789abcdef.tmp"), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
            await storage.Put("ops/new", "");
        var left = Directory.GetFiles(_folder.File("ops")).Select(path => Path.GetFileName(path));
        Assert.Equal(((string[])[.. kept, "new"]).Order(StringComparer.Ordinal), left.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Temporary_names_come_from_the_given_randomness_and_a_clash_is_drawn_again()
    {
        var first = new FileStorage(_folder.Path, new FileStorageOptions { Random = new Random(7) });
        var second = new FileStorage(_folder.Path, new FileStorageOptions { Random = new Random(7) });
        var results = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => (i % 2 == 0 ? first : second).Put("same", new string('x', i)))));
        Assert.All(results, result => Assert.True(result.IsStored));
        Assert.Equal(["same"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Who_waits_for_a_lock_needs_nothing_of_the_callers_thread()
    {
        await using var holder = new FileStorage(_folder.Path);
        await holder.Put("ops/x.jsonl", "");
        await holder.Append("ops/x.jsonl", 0);
        await using var storage = new FileStorage(_folder.Path);
        var (context, result) = (new DeadContext(), new TaskCompletionSource<PutResult>(TaskCreationOptions.RunContinuationsAsynchronously));
        var caller = new Thread(() =>
        {
            SynchronizationContext.SetSynchronizationContext(context);
            var put = storage.PutAsync(new StorageKey("ops/x.jsonl"), new MemoryStream(new byte[1]), PutCondition.Always, default).AsTask();
            put.ContinueWith(done => result.SetResult(done.Result), TaskScheduler.Default);
        });
        caller.Start();
        caller.Join();
        await Task.Delay(100);
        await holder.ReleaseAsync(new StorageKey("ops/x.jsonl"), default);
        Assert.True((await result.Task.WaitAsync(TimeSpan.FromSeconds(20))).IsStored);
        Assert.Equal(0, context.Posts);
    }

    /// <summary>One whose thread does nothing more.</summary>
    private sealed class DeadContext : SynchronizationContext
    {
        public int Posts;

        public override void Post(SendOrPostCallback d, object? state) => Interlocked.Increment(ref Posts);
    }

    [Fact]
    public async Task Names_that_windows_could_not_keep_are_stored_under_marks()
    {
        await using var storage = new FileStorage(_folder.Path);
        await storage.Put("archive/con.json", "1");
        await storage.Put("Nul/dot.", "2");
        Assert.True(File.Exists(_folder.File("archive/!con.json!")));
        Assert.True(File.Exists(_folder.File("!Nul!/!dot.!")));
        Assert.Equal(["Nul/dot.", "archive/con.json"], await storage.Names());
    }
}
