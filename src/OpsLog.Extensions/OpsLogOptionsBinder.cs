using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace OpsLog.Extensions;

/// <summary>
/// Reads options from configuration, key by key. By hand: without reflection, and a misspelt key is an error instead of a default that nobody chose.
/// </summary>
internal static class OpsLogOptionsBinder
{
    public static void Bind(IConfiguration section, OpsLogOptions options)
    {
        var store = options.Store;
        foreach (var entry in section.GetChildren())
        {
            switch (entry.Key.ToUpperInvariant())
            {
                case "LOCATION": options.Location = entry.Value; break;
                case "NAME": store.Name = entry.Value; break;
                case "AGENTID": store.AgentId = entry.Value; break;
                case "DURABILITY": store.Durability = Value<Durability>(entry); break;
                case "RECOVERY": store.Recovery = Value<Recovery>(entry); break;
                case "SNAPSHOTFORMAT": store.SnapshotFormat = Value<SnapshotFormat>(entry); break;
                case "FLUSHINTERVAL": store.FlushInterval = Duration(entry); break;
                case "SCHEMAVERSION": store.SchemaVersion = (int)Number(entry, int.MaxValue); break;
                case "DOCUMENTS": store.Documents = Value<DocumentPlacement>(entry); break;
                case "DOCUMENTCACHEBYTES": store.DocumentCacheBytes = Number(entry, long.MaxValue); break;
                case "CACHEFOLDER": store.CacheFolder = entry.Value; break;
                case "CACHEBYTES": store.CacheBytes = Number(entry, long.MaxValue); break;
                case "READONLY": store.ReadOnly = Flag(entry); break;
                case "CREATEIFMISSING": store.CreateIfMissing = Flag(entry); break;
                case "HISTORYRETENTION": store.HistoryRetention = Retention(entry); break;
                case "CHECKPOINT": BindCheckpoint(entry, store.Checkpoint); break;
                default: throw Unknown(entry);
            }
        }
    }

    private static void BindCheckpoint(IConfigurationSection section, CheckpointOptions checkpoint)
    {
        if (!string.IsNullOrEmpty(section.Value)) throw Wrong(section, $"keys below it, such as '{section.Path}:{nameof(CheckpointOptions.Automatic)}'");
        foreach (var entry in section.GetChildren())
        {
            switch (entry.Key.ToUpperInvariant())
            {
                case "AUTOMATIC": checkpoint.Automatic = Flag(entry); break;
                case "GROWTH": checkpoint.Growth = Decimal(entry); break;
                case "MINIMUMBYTES": checkpoint.MinimumBytes = Number(entry, long.MaxValue); break;
                case "MINIMUMOPERATIONS": checkpoint.MinimumOperations = (int)Number(entry, int.MaxValue); break;
                case "ONCLOSE": checkpoint.OnClose = Flag(entry); break;
                case "SILENTAFTER": checkpoint.SilentAfter = Duration(entry); break;
                case "GRACEPERIOD": checkpoint.GracePeriod = Duration(entry); break;
                default: throw Unknown(entry);
            }
        }
    }

    // "None", "Forever", { "Age": "30.00:00:00" } or { "Bytes": 1000000 }. Sources are merged: where one has a word and another a key below it, neither is known to be meant.
    private static HistoryRetention Retention(IConfigurationSection section)
    {
        var set = section.GetChildren().Prepend(section).Where(e => !string.IsNullOrEmpty(e.Value)).ToList();
        if (set.Count > 1)
            throw new ArgumentException($"{string.Join(" and ", set.Select(e => $"'{e.Path}' is '{e.Value}'"))}: only one of them can hold. Leave the others out, or empty.");
        if (set is [var entry])
        {
            if (string.Equals(section.Value, nameof(HistoryRetention.None), StringComparison.OrdinalIgnoreCase)) return HistoryRetention.None;
            if (string.Equals(section.Value, nameof(HistoryRetention.Forever), StringComparison.OrdinalIgnoreCase)) return HistoryRetention.Forever;
            if (string.Equals(entry.Key, nameof(HistoryRetention.Age), StringComparison.OrdinalIgnoreCase)) return HistoryRetention.ForAge(Duration(entry));
            if (string.Equals(entry.Key, nameof(HistoryRetention.Bytes), StringComparison.OrdinalIgnoreCase)) return HistoryRetention.ForBytes(Number(entry, long.MaxValue));
        }

        throw new ArgumentException($"'{section.Path}': allowed are None, Forever, an Age (d.hh:mm:ss) or Bytes.");
    }

    private static TEnum Value<TEnum>(IConfigurationSection entry)
        where TEnum : struct, Enum =>
        Enum.TryParse<TEnum>(entry.Value, ignoreCase: true, out var value) && Enum.IsDefined(value) ? value : throw Wrong(entry, string.Join(", ", Enum.GetNames<TEnum>()));

    private static bool Flag(IConfigurationSection entry) => bool.TryParse(entry.Value, out var value) ? value : throw Wrong(entry, "true, false");

    // Hours, minutes and seconds are demanded: .NET takes 60 and 60:00:00 for 60 days, and 00:30 for half an hour.
    private static TimeSpan Duration(IConfigurationSection entry) =>
        entry.Value?.Count(c => c == ':') == 2 && TimeSpan.TryParseExact(entry.Value, "c", CultureInfo.InvariantCulture, out var value)
            ? value
            : throw Wrong(entry, "a time (hh:mm:ss, with days d.hh:mm:ss) such as 00:00:30 or 30.00:00:00");

    private static long Number(IConfigurationSection entry, long largest) =>
        !long.TryParse(entry.Value, CultureInfo.InvariantCulture, out var value) ? throw Wrong(entry, "a whole number")
        : value <= largest ? value
        : throw Wrong(entry, $"at most {largest}");

    // Without thousands separators: 1,5 would be 15.
    private static double Decimal(IConfigurationSection entry) =>
        double.TryParse(entry.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : throw Wrong(entry, "a number such as 1.5");

    private static ArgumentException Wrong(IConfigurationSection entry, string allowed) => new($"'{entry.Path}' is '{entry.Value}'. Allowed: {allowed}.");

    private static ArgumentException Unknown(IConfigurationSection entry) => new($"'{entry.Path}' is no setting of a store. Check its spelling (docs/hosting.md lists the keys).");
}
