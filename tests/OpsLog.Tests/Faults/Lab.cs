using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>What the fault tests have in common: documents, stores, a look at stored bytes, and ways to damage them.</summary>
internal static class Lab
{
    public static StorageKey Manifest { get; } = new("manifest.json");

    /// <summary>Quiet options: no checkpoint and no collection but the asked for, everything retained.</summary>
    public static OpsStoreOptions Options(Action<OpsStoreOptions>? change = null) => Runs.Options(Durability.Disk, o =>
    {
        o.Random = null; // two writers on one storage must not draw the same names
        change?.Invoke(o);
    });

    public static OpsStoreOptions ReadOnly(Action<OpsStoreOptions>? change = null) => Options(o =>
    {
        o.ReadOnly = true;
        change?.Invoke(o);
    });

    public static JsonElement Doc(int n) => StoreReading.Element(string.Create(CultureInfo.InvariantCulture, $"{{\"n\":{n}}}"));

    public static int N(JsonElement document) => document.GetProperty("n").GetInt32();

    public static ValueTask<OpsStore<JsonElement>> OpenAsync(IOpsStorage storage, OpsStoreOptions? options = null) =>
        OpsStore<JsonElement>.OpenAsync(storage, options ?? Options());

    /// <summary>Makes a store of a single writer: a set of k, then a batch that sets x and y.</summary>
    public static async Task WriteSetAndBatchAsync(IOpsStorage storage)
    {
        await using var store = await OpenAsync(storage);
        await store.SetAsync("k", Doc(1));
        await store.BatchAsync(b =>
        {
            b.Set("x", Doc(2));
            b.Set("y", Doc(3));
        });
    }

    /// <summary>The state as text; equal texts are equal states, byte for byte.</summary>
    public static async Task<string> StateAsync(IOpsStorage storage, OpsStoreOptions? options = null)
    {
        await using var store = await OpenAsync(storage, options ?? ReadOnly());
        return Runs.Text(store);
    }

    public static async Task<OpsLogException> RefusedAsync(OpsLogError error, Func<Task> action)
    {
        var refusal = await Assert.ThrowsAsync<OpsLogException>(action);
        Assert.True(error == refusal.Error, $"{refusal.Error} instead of {error}: {refusal.Message}");
        if (error == OpsLogError.Damaged) Assert.NotNull(refusal.Damage);
        return refusal;
    }

    public static Task<OpsLogException> RefusedAsync(OpsLogError error, Func<ValueTask> action) => RefusedAsync(error, async Task () => await action());

    public static Task<OpsLogException> OpeningRefusedAsync(OpsLogError error, IOpsStorage storage, OpsStoreOptions? options = null) =>
        RefusedAsync(error, async Task () => await OpenAsync(storage, options));

    public static async Task<List<Operation<JsonElement>>> OperationsAsync(OpsStore<JsonElement> store, FeedPosition since = default)
    {
        var operations = new List<Operation<JsonElement>>();
        await foreach (var operation in store.OperationsAsync(since)) operations.Add(operation);
        return operations;
    }

    public static async Task<List<string>> NamesAsync(IOpsStorage storage, string prefix = "")
    {
        var names = new List<string>();
        await foreach (var entry in storage.ListAsync(StorageKey.Root, null, default))
            if (entry.Key.Value.StartsWith(prefix, StringComparison.Ordinal)) names.Add(entry.Key.Value);
        return names;
    }

    /// <summary>The one object whose name begins so.</summary>
    public static async Task<StorageKey> OnlyAsync(IOpsStorage storage, string prefix) => new(Assert.Single(await NamesAsync(storage, prefix)));

    public static async Task<byte[]> ReadAsync(IOpsStorage storage, StorageKey key)
    {
        await using var found = await storage.ReadAsync(key, ByteRange.All, default);
        return (await found!.ReadToEndAsync(default)).ToArray();
    }

    public static async Task WriteAsync(IOpsStorage storage, StorageKey key, byte[] bytes)
    {
        using var content = new MemoryStream(bytes);
        await storage.PutAsync(key, content, PutCondition.Always, default);
    }

    public static async Task ChangeAsync(IOpsStorage storage, StorageKey key, Func<byte[], byte[]> change) =>
        await WriteAsync(storage, key, change(await ReadAsync(storage, key)));

    /// <summary>Every object and its bytes.</summary>
    public static async Task<SortedDictionary<string, string>> BytesAsync(IOpsStorage storage)
    {
        var bytes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in await NamesAsync(storage)) bytes.Add(name, Convert.ToBase64String(await ReadAsync(storage, new StorageKey(name))));
        return bytes;
    }

    public static async Task<MemoryStorage> CopyAsync(IOpsStorage storage)
    {
        var copy = new MemoryStorage((storage.Capabilities & StorageCapabilities.Append) != 0);
        foreach (var name in await NamesAsync(storage)) await WriteAsync(copy, new StorageKey(name), await ReadAsync(storage, new StorageKey(name)));
        return copy;
    }

    public static async Task<JsonObject> ManifestAsync(IOpsStorage storage) => JsonNode.Parse(await ReadAsync(storage, Manifest))!.AsObject();

    /// <summary>The name of the log that the manifest has as the current one.</summary>
    public static async Task<StorageKey> LogAsync(IOpsStorage storage) => new((string)(await ManifestAsync(storage))["activeOps"]!);

    public static async Task<StorageKey> SnapshotAsync(IOpsStorage storage) => new((string)(await ManifestAsync(storage))["currentSnapshot"]!);

    /// <summary>Changes our part of the manifest, with a checksum that holds.</summary>
    public static async Task ChangeManifestAsync(IOpsStorage storage, Action<JsonObject> change)
    {
        var manifest = await ManifestAsync(storage);
        var ours = manifest["opslog"]!.AsObject();
        change(ours);
        ours.Remove("crc");
        var checksum = JsonLines.Checksum(Encoding.UTF8.GetBytes(ours.ToJsonString()[..^1])) /* up to where the member crc begins */;
        ours["crc"] = checksum.ToString("x8", CultureInfo.InvariantCulture);
        await WriteAsync(storage, Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString(new JsonSerializerOptions { WriteIndented = true })));
    }

    /// <summary>Flips one bit of a line, counted from 0, in its middle.</summary>
    public static byte[] FlipInLine(byte[] bytes, int line)
    {
        var (start, end) = LineOf(bytes, line);
        bytes[(start + end) / 2] ^= 1;
        return bytes;
    }

    /// <summary>Where a line, counted from 0, begins and ends, its newline included.</summary>
    public static (int Start, int End) LineOf(byte[] bytes, int line)
    {
        var start = 0;
        for (; line > 0; line--) start = Array.IndexOf(bytes, (byte)'\n', start) + 1;
        return (start, Array.IndexOf(bytes, (byte)'\n', start) + 1);
    }
}
