using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.Storage;

/// <summary>
/// Goal: a version does not come back where files keep coarse times, and a sync beside one that fails is none. Method: a file system that keeps every other second, as FAT does, and one
/// that tells of a failure once.
/// </summary>
public sealed class CoarseTimeTests
{
    private const int TwoSeconds = 20_000_000;

    private static readonly StorageKey s_key = new("manifest.json");

    [Theory]
    [InlineData(10)]
    [InlineData(100_000)] // too large for its content to be part of the version
    public async Task Contents_of_one_length_have_versions_of_their_own(int length)
    {
        using var folder = new TempFolder();
        var versions = new List<StorageVersion>();
        for (var i = 0; i < 6; i++)
        {
            await using var storage = new FileStorage(folder.Path) { SetTime = (file, time) => File.SetLastWriteTimeUtc(file, new DateTime(time.Ticks / TwoSeconds * TwoSeconds, DateTimeKind.Utc)) };
            var condition = i == 0 ? PutCondition.IfAbsent : PutCondition.IfVersion(versions[^1]);
            var put = await storage.PutAsync(s_key, new MemoryStream(Enumerable.Repeat((byte)i, length).ToArray()), condition, default);
            Assert.True(put.IsStored);
            versions.Add(put.Version);
            Assert.Equal(0, File.GetLastWriteTimeUtc(Path.Combine(folder.Path, s_key.Value)).Ticks % TwoSeconds);
        }

        Assert.Equal(versions.Count, versions.Distinct().Count());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_sync_beside_one_that_fails_fails_too(bool beside)
    {
        using var folder = new TempFolder();
        using var entered = new SemaphoreSlim(0);
        using var go = new ManualResetEventSlim();
        var log = new StorageKey("ops/x.jsonl");
        var syncs = -2; // the put's and the claim's
        await using var storage = new FileStorage(folder.Path)
        {
            Sync = (_, path) =>
            {
                if (Interlocked.Increment(ref syncs) != 1) return; // told once, to whoever asks first
                entered.Release();
                go.Wait();
                throw new IOException("The medium failed.", 5);
            },
        };
        await storage.PutAsync(log, Stream.Null, PutCondition.IfAbsent, default);
        await storage.AppendAsync(log, "one"u8.ToArray(), 0, Flush.Synced, default);
        var failing = Task.Run(() => storage.AppendAsync(log, default, 3, Flush.Synced, default).AsTask());
        await entered.WaitAsync();
        var other = Task.Run(() => storage.AppendAsync(log, beside ? default : "two"u8.ToArray(), 3, Flush.Synced, default).AsTask());
        await Task.WhenAny(other, Task.Delay(200));
        go.Set();
        await Assert.ThrowsAsync<StorageException>(() => failing);
        await Assert.ThrowsAsync<StorageException>(() => other);
    }
}
