using System.Text;
using Microsoft.Extensions.Time.Testing;
using OpsLog.Storage;

namespace OpsLog.StorageTests;

/// <summary>The storage calls with texts for bytes, for short tests.</summary>
internal static class StorageCallsOfTests
{
    public static async Task<PutResult> Put(this IOpsStorage storage, string key, string text, PutCondition condition = default) =>
        await storage.PutAsync(new StorageKey(key), new MemoryStream(Encoding.UTF8.GetBytes(text)), condition, default);

    public static async Task<PutResult> Append(this IOpsStorage storage, string key, long length, string text = "", Flush flush = Flush.Written) =>
        await storage.AppendAsync(new StorageKey(key), Encoding.UTF8.GetBytes(text), length, flush, default);

    public static async Task<string?> Read(this IOpsStorage storage, string key)
    {
        await using var found = await storage.ReadAsync(new StorageKey(key), ByteRange.All, default);
        return found is null ? null : Encoding.UTF8.GetString((await found.ReadToEndAsync(default)).Span);
    }

    public static async Task Delete(this IOpsStorage storage, string key) => await storage.DeleteAsync(new StorageKey(key), default);

    public static async Task Release(this IOpsStorage storage, string key) => await storage.ReleaseAsync(new StorageKey(key), default);

    public static async Task<List<string>> Names(this IOpsStorage storage)
    {
        var names = new List<string>();
        await foreach (var entry in storage.ListAsync(StorageKey.Root, null, default)) names.Add(entry.Key.Value);
        return names;
    }

    /// <summary>Lets time pass until a call that waits on it has ended.</summary>
    public static async Task<T> DriveAsync<T>(this FakeTimeProvider time, Task<T> call)
    {
        await time.DriveAsync((Task)call);
        return await call;
    }

    /// <summary>Lets time pass until a call that waits on it has ended.</summary>
    public static async Task DriveAsync(this FakeTimeProvider time, Task call)
    {
        while (!call.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(20));
            await Task.Yield();
        }

        await call;
    }
}
