// Goal: a read of no bytes tells whether a file has changed. Method: files whose times are set, so that a look alone cannot tell, or can.
using OpsLog.Storage;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class FileLookTests : IAsyncDisposable
{
    private static readonly StorageKey s_key = new("manifest.json");
    private static readonly DateTime s_longAgo = new DateTime(2020, 1, 2, 3, 4, 5, DateTimeKind.Utc).AddTicks(1234567);
    private static readonly DateTime s_now = s_longAgo.AddDays(1);
    private readonly TemporaryFolder _folder = new();
    private readonly FileStorage _storage;

    public FileLookTests()
    {
        Directory.CreateDirectory(_folder.Path);
        _storage = new FileStorage(_folder.Path, new FileStorageOptions { TimeProvider = new StoppedClock() });
    }

    public async ValueTask DisposeAsync()
    {
        await _storage.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_file_that_looks_as_before_gets_the_same_answer()
    {
        if (OperatingSystem.IsWindows()) return; // there a look does not tell
        Write("aaaa", s_longAgo);
        var first = await LookAsync();
        Assert.Same(first, await LookAsync());
        Assert.Equal(4, first!.Length);
        Assert.Equal(first.Version, (await _storage.ReadAsync(s_key, ByteRange.All, default))!.Version);
    }

    [Fact]
    public async Task What_was_kept_goes_when_the_file_grows_changes_or_goes()
    {
        Write("aaaa", s_longAgo);
        var version = (await LookAsync())!.Version;
        File.AppendAllText(_folder.File(s_key.Value), "a");
        File.SetLastWriteTimeUtc(_folder.File(s_key.Value), s_longAgo);
        Assert.Equal(5, (await LookAsync())!.Length);
        Write("bbbb", s_longAgo.AddTicks(10));
        var other = await LookAsync();
        Assert.Equal(4, other!.Length);
        Assert.NotEqual(version, other.Version);
        File.Delete(_folder.File(s_key.Value));
        Assert.Null(await LookAsync());
        Write("aaaa", s_longAgo);
        Assert.Equal(version, (await LookAsync())!.Version);
    }

    [Fact]
    public async Task What_may_change_within_the_tick_of_a_clock_is_read_each_time()
    {
        var wholeSecond = new DateTime(s_now.Ticks - (s_now.Ticks % TimeSpan.TicksPerSecond) - TimeSpan.TicksPerSecond, DateTimeKind.Utc);
        foreach (var time in new[] { s_now.AddMilliseconds(-50), s_now.AddHours(1), wholeSecond })
        {
            Write("aaaa", time);
            var version = (await LookAsync())!.Version;
            Write("bbbb", time);
            Assert.NotEqual(version, (await LookAsync())!.Version);
        }
    }

    private void Write(string content, DateTime time)
    {
        File.WriteAllText(_folder.File(s_key.Value), content);
        File.SetLastWriteTimeUtc(_folder.File(s_key.Value), time);
    }

    private async Task<StoredObject?> LookAsync() => await _storage.ReadAsync(s_key, new ByteRange(0, 0), default);

    private sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => s_now;
    }
}
