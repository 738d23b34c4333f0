using System.Text;
using System.Text.Json;
using Xunit;

namespace OpsLog.Tests.Properties;

/// <summary>Opening, reading and leaving stores as the properties need it.</summary>
internal static class Runs
{
    /// <summary>Options under which every storage call is made on behalf of a command, never in the background, so that calls can be numbered.</summary>
    public static OpsStoreOptions Options(Durability durability = Durability.Disk, Action<OpsStoreOptions>? change = null)
    {
        var options = new OpsStoreOptions { Durability = durability, HistoryRetention = HistoryRetention.Forever, Random = new Random(1) };
        (options.Checkpoint.Automatic, options.Checkpoint.GracePeriod, options.FlushInterval) = (false, TimeSpan.Zero, TimeSpan.FromHours(1));
        change?.Invoke(options);
        return options;
    }

    /// <summary>The program of schema version 2: each document of version 1 gets a member, once.</summary>
    public static void ToVersion2(OpsStoreOptions options)
    {
        options.SchemaVersion = 2;
        options.Migrate = (node, version) =>
        {
            Assert.Equal(1, version);
            Assert.False(node!.AsObject().ContainsKey("v"), "migrated twice");
            node["v"] = 2;
            return node;
        };
    }

    public static ValueTask<OpsStore<JsonElement>> OpenAsync(StorageRig rig, OpsStoreOptions? options = null) =>
        OpsStore<JsonElement>.OpenAsync(rig, options ?? Options());

    /// <summary>The state as the model prints it, from the stored bytes.</summary>
    public static string Text(OpsStore<JsonElement> store) => StoreModel.TextOf(store.Keys.Select(id =>
    {
        Assert.True(store.TryGetJson(id, out var json), id);
        return KeyValuePair.Create(id, Encoding.UTF8.GetString(json.Span));
    }));

    public static async Task<string> TextOfAsync(StorageRig rig, OpsStoreOptions? options = null)
    {
        await using var store = await OpenAsync(rig, options);
        return Text(store);
    }

    /// <summary>Leaves a store whose process is dead, or whose storage failed: what closing says then does not count.</summary>
    public static async Task AbandonAsync(OpsStore<JsonElement>? store)
    {
        try
        {
            if (store is not null) await store.DisposeAsync();
        }
        catch (Exception e) when (IsFailure(e))
        {
            // Nobody waits for this answer.
        }
    }

    /// <summary>Whether an exception is one that the library may give when its storage fails.</summary>
    public static bool IsFailure(Exception exception) => exception is OpsLogException;

    public static async Task AssertSoundAsync(StorageRig rig, string context)
    {
        var report = await OpsStore.VerifyAsync(rig);
        Assert.True(report.IsSound, $"{context}: {string.Join('\n', report.Damages)}");
    }

    public static void AssertOneOf(IEnumerable<StoreModel> allowed, string actual, string context)
    {
        var texts = allowed.Select(m => m.Text).Distinct(StringComparer.Ordinal).ToList();
        if (texts.Contains(actual, StringComparer.Ordinal)) return;
        Assert.Fail($"{context}\nshown:\n{actual}\nallowed:\n{string.Join("\nor:\n", texts)}");
    }
}
