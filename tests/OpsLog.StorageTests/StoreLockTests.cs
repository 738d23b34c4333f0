// Goal: the `.lock` file that the npm package writes is honoured, and ours is one it understands (F22; bugs 49-52, 54).
// Method: every content such a file can have, with its writer alive, dead and replaced; time from a fake clock.
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class StoreLockTests : IDisposable
{
    private const string Log = "ops/ops-r000000000001-0123abcd.jsonl";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string LockFile => _folder.File(".lock");

    private async Task<FileStorage> OpenAsync(TimeProvider? time = null)
    {
        var storage = new FileStorage(_folder.Path, new FileStorageOptions { TimeProvider = time ?? TimeProvider.System });
        await storage.Put(Log, "");
        return storage;
    }

    [Fact]
    public async Task Our_lock_file_starts_with_our_pid_and_goes_when_we_let_go()
    {
        await using var storage = await OpenAsync();
        Assert.True((await storage.Append(Log, 0)).IsStored);
        // The package takes the number at the start, and asks whether that process lives.
        Assert.Matches($"^{Environment.ProcessId} [0-9a-f]{{16}}-[0-9]+$", await File.ReadAllTextOrEmptyAsync(LockFile));
        await storage.Release(Log);
        Assert.False(File.Exists(LockFile));
        Assert.True((await storage.Append(Log, 0)).IsStored); // and we may come again
    }

    [Fact]
    public async Task Logs_of_agents_and_other_objects_do_not_lock_the_store()
    {
        await using var storage = await OpenAsync();
        await storage.Put("ops/agent-a-r000000000001-0123abcd.jsonl", "");
        await storage.Put("ops/ops-x/deeper.jsonl", "");
        Assert.True((await storage.Append("ops/agent-a-r000000000001-0123abcd.jsonl", 0)).IsStored);
        Assert.True((await storage.Append("ops/ops-x/deeper.jsonl", 0)).IsStored);
        Assert.False(File.Exists(LockFile));
    }

    [Fact]
    public async Task The_store_stays_locked_until_the_last_log_is_released()
    {
        await using var storage = await OpenAsync();
        await storage.Put("ops/ops-2.jsonl", "");
        Assert.True((await storage.Append(Log, 0)).IsStored);
        Assert.True((await storage.Append("ops/ops-2.jsonl", 0)).IsStored);
        await storage.Release(Log);
        Assert.True(File.Exists(LockFile));
        await using var other = await OpenAsync();
        Assert.Equal(PutOutcome.Held, (await other.Append(Log, 0)).Outcome);
        await storage.Release("ops/ops-2.jsonl");
        Assert.True((await other.Append(Log, 0)).IsStored);
    }

    [Fact]
    public async Task F22_The_packages_lock_is_respected_while_its_process_lives_and_taken_over_after()
    {
        await using var storage = await OpenAsync();
        using var alive = Process.Start(new ProcessStartInfo("dotnet", ["exec", typeof(StoreLockTests).Assembly.Location])
        {
            RedirectStandardInput = true,
            Environment = { ["OPSLOG_STORAGE_TESTS_ROOT"] = _folder.Path },
        })!;
        var text = alive.Id.ToString(CultureInfo.InvariantCulture);
        await File.WriteAllTextAsync(LockFile, text);
        var refused = await storage.Append(Log, 0);
        Assert.Equal(PutOutcome.Held, refused.Outcome);
        Assert.Contains(text, refused.Detail, StringComparison.Ordinal);
        Assert.Equal(text, await File.ReadAllTextAsync(LockFile));
        Assert.False(File.Exists(_folder.File(Log + ".lock")));
        alive.Kill();
        await alive.WaitForExitAsync();
        Assert.True((await storage.Append(Log, 0)).IsStored);
        Assert.StartsWith($"{Environment.ProcessId} ", await File.ReadAllTextOrEmptyAsync(LockFile), StringComparison.Ordinal);
    }

    [Fact]
    public async Task F22_A_process_of_another_user_is_alive()
    {
        if (OperatingSystem.IsWindows()) return; // there every living process answers by its id
        await using var storage = await OpenAsync();
        await File.WriteAllTextAsync(LockFile, "1"); // init: EPERM for everyone but root
        Assert.Equal(PutOutcome.Held, (await storage.Append(Log, 0)).Outcome);
    }

    [Theory]
    [InlineData("1 0123456789abcdef-1")]     // our form, of a process whose number lives again
    [InlineData("1 0123456789abcdef-1\n")]
    public async Task Bug51_Our_own_lock_of_a_dead_process_is_taken_over_though_its_pid_lives_again(string text)
    {
        await using var storage = await OpenAsync();
        await File.WriteAllTextAsync(LockFile, text);
        Assert.True((await storage.Append(Log, 0)).IsStored);
    }

    [Fact]
    public async Task Bug51_A_digits_only_lock_with_our_own_pid_is_a_dead_ones()
    {
        await using var storage = await OpenAsync();
        await File.WriteAllTextAsync(LockFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        Assert.True((await storage.Append(Log, 0)).IsStored);
    }

    [Fact]
    public async Task Our_own_lock_of_a_living_process_is_held()
    {
        await using var storage = await OpenAsync();
        await using var other = HelperProcess.Start(_folder.Path);
        Assert.Equal("Stored", await other.AskAsync($"append {Log} 0"));
        await storage.Put("ops/ops-2.jsonl", "");
        var refused = await storage.Append("ops/ops-2.jsonl", 0); // another log, the same store
        Assert.Equal(PutOutcome.Held, refused.Outcome);
        Assert.Contains($"process {other.Id} ", refused.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage")]
    [InlineData("99999999999999999999")]
    [InlineData("-5")]
    [InlineData("0")]
    public async Task Bug50_An_empty_or_unreadable_lock_is_waited_for_then_held_and_stale_only_when_old(string text)
    {
        var time = new FakeTimeProvider();
        await using var storage = await OpenAsync(time);
        await File.WriteAllTextAsync(LockFile, text);
        time.SetUtcNow(File.GetLastWriteTimeUtc(LockFile));
        var started = time.GetUtcNow();
        Assert.Equal(PutOutcome.Held, (await time.DriveAsync(storage.Append(Log, 0))).Outcome);
        Assert.True(time.GetUtcNow() - started >= TimeSpan.FromSeconds(1));
        Assert.Equal(text, await File.ReadAllTextAsync(LockFile));
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True((await storage.Append(Log, 0)).IsStored);
    }

    [Fact]
    public async Task Bug50_A_lock_that_is_empty_until_its_writer_writes_is_the_writers()
    {
        var time = new FakeTimeProvider();
        await using var storage = await OpenAsync(time);
        await using var other = HelperProcess.Start(_folder.Path);
        await File.WriteAllTextAsync(LockFile, "");
        time.SetUtcNow(File.GetLastWriteTimeUtc(LockFile));
        var append = storage.Append(Log, 0);
        Assert.False(append.IsCompleted);
        await File.WriteAllTextAsync(LockFile, other.Id.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(PutOutcome.Held, (await time.DriveAsync(append)).Outcome);
    }

    [Fact]
    public async Task Bug54_A_release_leaves_a_lock_file_that_is_not_ours()
    {
        await using var storage = await OpenAsync();
        Assert.True((await storage.Append(Log, 0)).IsStored);
        File.Delete(LockFile);
        await File.WriteAllTextAsync(LockFile, "1");
        await storage.Release(Log);
        Assert.Equal("1", await File.ReadAllTextAsync(LockFile));
    }

    [Fact]
    public async Task Nobody_ever_sees_our_lock_file_empty()
    {
        if (OperatingSystem.IsWindows()) return; // there the package can't delete a file that we have open
        await using var storage = await OpenAsync();
        var seen = 0;
        var writing = Task.Run(async () =>
        {
            // At least so many rounds, and on until the reader has seen the file.
            for (var i = 0; i < 300 || Volatile.Read(ref seen) < 20; i++)
            {
                Assert.True((await storage.Append(Log, 0)).IsStored);
                await storage.Release(Log);
            }
        });
        while (!writing.IsCompleted)
        {
            if (await File.ReadAllTextOrNullAsync(LockFile) is not { } text) continue;
            Assert.Matches($"^{Environment.ProcessId} [0-9a-f]{{16}}-[0-9]+$", text);
            Interlocked.Increment(ref seen);
        }

        await writing;
    }
}

/// <summary>Reading a file that is locked, or may not be there, as another program would: without locks.</summary>
internal static class UnlockedFileReading
{
    extension(File)
    {
        public static async Task<string?> ReadAllTextOrNullAsync(string path)
        {
            using var process = OperatingSystem.IsWindows() ? null : UnlockedFile.TryOpen(path);
            if (OperatingSystem.IsWindows()) return File.Exists(path) ? await File.ReadAllTextAsync(path) : null;
            if (process is null) return null;
            var bytes = new byte[256];
            return Encoding.ASCII.GetString(bytes, 0, RandomAccess.Read(process, bytes, 0));
        }

        public static async Task<string> ReadAllTextOrEmptyAsync(string path) => await File.ReadAllTextOrNullAsync(path) ?? "";
    }
}
