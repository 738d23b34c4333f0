using System.Text;
using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;

namespace OpsLog.Tests.Maintenance;

/// <summary>A store with something in every kind of object, and what it shows.</summary>
internal static class SampleStore
{
    public static readonly StorageKey ManifestKey = new("manifest.json");

    public static OpsStoreOptions ReadOnly => Runs.Options(change: o => o.ReadOnly = true);

    /// <summary>A snapshot, logs kept for history, an archive, and a log with a batch, a delete and an undo.</summary>
    public static async Task<StorageRig> MakeAsync(bool append = true, HistoryRetention? retention = null, SnapshotFormat format = SnapshotFormat.JsonLines)
    {
        var rig = new StorageRig(append);
        await using var store = await Runs.OpenAsync(rig, Runs.Options(change: o =>
        {
            o.HistoryRetention = retention ?? HistoryRetention.Forever;
            o.SnapshotFormat = format;
        }));
        for (var i = 0; i < 6; i++) await store.SetAsync($"k{i}", Json($$"""{"n":{{i}}}"""));
        await store.SetAsync("old", Json("""{"archived":true}"""));
        await store.CompactAsync();
        await store.ArchiveAsync(["old"], "2026-Q1");
        await store.SetAsync("k1", Json("""{"n":11,"more":"ž"}"""));
        await store.DeleteAsync("k2");
        await store.CompactAsync();
        await store.SetAsync("k1", Json("""{"n":12,"more":"ž"}"""));
        await store.BatchAsync(b =>
        {
            b.Set("k3", Json("""{"n":33}"""));
            b.Delete("k4");
            b.Set("new", Json("{}"));
        });
        await store.SetAsync("k5", Json("""{"n":55}"""));
        await store.UndoAsync();
        await store.SetAsync("last", Json("""{"n":99}"""));
        return rig;
    }

    public static JsonElement Json(string text) => StoreReading.Element(text);

    /// <summary>State, archives and retained operations as one text.</summary>
    public static async Task<string> EverythingAsync(IOpsStorage storage, bool withOperations = true)
    {
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, ReadOnly);
        var text = new StringBuilder(Runs.Text(store)).Append('\n');
        foreach (var period in store.Archives)
            foreach (var (id, value) in await store.LoadArchiveAsync(period)) text.Append(period).Append(": ").Append(id).Append(" = ").Append(value.GetRawText()).Append('\n');
        if (!withOperations) return text.ToString();
        await foreach (var operation in store.OperationsAsync())
        {
            text.Append(operation.Kind).Append(' ').Append(operation.Id).Append(' ').Append(operation.Revision).Append(' ')
                .Append(operation.Kind == OperationKind.Set ? operation.Value.GetRawText() : "").Append('\n');
        }

        return text.ToString();
    }

    public static Task<string> StateAsync(IOpsStorage storage) => EverythingAsync(storage, withOperations: false);

    /// <summary>The object of a kind that the manifest, or else the listing, has.</summary>
    public static async Task<StorageKey> KeyAsync(StorageRig rig, string member)
    {
        var manifest = JsonTree.Object(JsonTree.Parse(await rig.BytesAsync(ManifestKey)));
        return new StorageKey((string)manifest[member]!);
    }

    public static Task<StorageKey> LogAsync(StorageRig rig) => KeyAsync(rig, "activeOps");

    public static Task<StorageKey> SnapshotAsync(StorageRig rig) => KeyAsync(rig, "currentSnapshot");

    /// <summary>Where each line of an object starts, and its length without the newline.</summary>
    public static List<(int Start, int Length)> Lines(byte[] bytes)
    {
        var lines = new List<(int, int)>();
        for (var start = 0; start < bytes.Length;)
        {
            var end = Array.IndexOf(bytes, (byte)'\n', start);
            if (end < 0) end = bytes.Length;
            lines.Add((start, end - start));
            start = end + 1;
        }

        return lines;
    }

    /// <summary>Changes one byte of a line, counted from 1.</summary>
    public static async Task DamageAsync(StorageRig rig, StorageKey key, int line, int at = 20)
    {
        var bytes = await rig.BytesAsync(key);
        bytes[Lines(bytes)[line - 1].Start + at] ^= 1;
        await rig.WriteAsync(key, bytes);
    }

    /// <summary>Every object by its name.</summary>
    public static async Task<SortedDictionary<string, byte[]>> ObjectsAsync(StorageRig rig)
    {
        var objects = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var name in (await rig.LengthsAsync()).Keys) objects.Add(name, await rig.BytesAsync(new StorageKey(name)));
        return objects;
    }

    public static async Task AssertSameObjectsAsync(SortedDictionary<string, byte[]> before, StorageRig rig)
    {
        var after = await ObjectsAsync(rig);
        Xunit.Assert.Equal(before.Keys, after.Keys);
        foreach (var (name, bytes) in before) Xunit.Assert.True(bytes.AsSpan().SequenceEqual(after[name]), $"{name} was changed.");
    }
}

/// <summary>Notes what it is told.</summary>
internal sealed class Told : IProgress<StoreProgress>
{
    private readonly Lock _lock = new();
    private readonly List<StoreProgress> _reports = [];

    public Action<StoreProgress>? On { get; init; }

    public IReadOnlyList<StoreProgress> Reports
    {
        get
        {
            lock (_lock) return [.. _reports];
        }
    }

    public void Report(StoreProgress value)
    {
        lock (_lock) _reports.Add(value);
        On?.Invoke(value);
    }
}
