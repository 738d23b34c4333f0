using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace OpsLog.Engine;

/// <summary>The options, checked, as they were when the store was opened.</summary>
internal sealed class EngineSettings
{
    public EngineSettings(OpsStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options.Checkpoint, "options.Checkpoint");
        ArgumentNullException.ThrowIfNull(options.HistoryRetention, "options.HistoryRetention");
        ArgumentNullException.ThrowIfNull(options.TimeProvider, "options.TimeProvider");
        Defined(options.Durability, nameof(options.Durability));
        Defined(options.Recovery, nameof(options.Recovery));
        Defined(options.SnapshotFormat, nameof(options.SnapshotFormat));
        Within(options.FlushInterval >= TimeSpan.FromMilliseconds(1) && options.FlushInterval <= TimeSpan.FromHours(1), nameof(options.FlushInterval), options.FlushInterval, "1 ms to 1 hour");
        Defined(options.Documents, nameof(options.Documents));
        Within(options.DocumentCacheBytes is >= 0 and <= 1L << 36, nameof(options.DocumentCacheBytes), options.DocumentCacheBytes, "0 to 64 GiB");
        Within(options.SchemaVersion is null or >= 1, nameof(options.SchemaVersion), options.SchemaVersion, "1 or more");
        Within(options.Checkpoint.Growth > 0 && double.IsFinite(options.Checkpoint.Growth), "Checkpoint.Growth", options.Checkpoint.Growth, "above 0");
        Within(options.Checkpoint.MinimumBytes >= 0, "Checkpoint.MinimumBytes", options.Checkpoint.MinimumBytes, "0 or more");
        Within(options.Checkpoint.MinimumOperations >= 1, "Checkpoint.MinimumOperations", options.Checkpoint.MinimumOperations, "1 or more");
        Within(options.Checkpoint.GracePeriod >= TimeSpan.Zero, "Checkpoint.GracePeriod", options.Checkpoint.GracePeriod, "zero or more");

        Within(options.Checkpoint.SilentAfter >= TimeSpan.Zero, "Checkpoint.SilentAfter", options.Checkpoint.SilentAfter, "zero or more");
        Within(options.CacheBytes > 0, nameof(options.CacheBytes), options.CacheBytes, "above 0");
        if (options.CacheFolder is { } folder) ArgumentException.ThrowIfNullOrEmpty(folder, "options.CacheFolder");
        if (options.AgentId is { } agent) AgentIds.Check(agent, "options.AgentId");

        AgentId = options.ReadOnly ? null : options.AgentId;
        SilentAfter = options.Checkpoint.SilentAfter;
        Durability = options.Durability;
        FlushInterval = options.FlushInterval;
        AutomaticCheckpoints = options.Checkpoint.Automatic;
        CheckpointOnClose = options.Checkpoint.OnClose;
        Growth = options.Checkpoint.Growth;
        MinimumBytes = options.Checkpoint.MinimumBytes;
        MinimumOperations = options.Checkpoint.MinimumOperations;
        GracePeriod = options.Checkpoint.GracePeriod;
        Retention = options.HistoryRetention;
        SnapshotFormat = options.SnapshotFormat;
        SchemaVersion = options.SchemaVersion;
        DocumentCacheBytes = options.Documents == DocumentPlacement.OnDisk ? options.DocumentCacheBytes : null;
        Migrate = options.Migrate;
        ReadOnly = options.ReadOnly;
        CreateIfMissing = options.CreateIfMissing && !options.ReadOnly;
        Recovery = options.Recovery;
        Limits = options.Limits;
        Time = options.TimeProvider;
        Nonces = new NonceSource(options.Random);
        Telemetry = new StoreTelemetry(options.Name, options.TimeProvider, options.Durability);
        Logger = options.LoggerFactory?.CreateLogger("OpsLog") ?? NullLogger.Instance;
    }

    /// <summary>Who writes, among many; null: the only writer, or none.</summary>
    public string? AgentId { get; private set; }
    public TimeSpan SilentAfter { get; }
    public Durability Durability { get; }
    public TimeSpan FlushInterval { get; }
    public bool AutomaticCheckpoints { get; }
    public bool CheckpointOnClose { get; }
    public double Growth { get; }
    public long MinimumBytes { get; }
    public int MinimumOperations { get; }
    public TimeSpan GracePeriod { get; }
    public HistoryRetention Retention { get; }
    public SnapshotFormat SnapshotFormat { get; }
    public int? SchemaVersion { get; }

    /// <summary>How much of documents that stay on disk is kept; null: documents are held in memory.</summary>
    public long? DocumentCacheBytes { get; }
    public Func<JsonNode?, int, JsonNode?>? Migrate { get; }
    public bool ReadOnly { get; }
    public bool CreateIfMissing { get; }
    public Recovery Recovery { get; }
    public WriteLimits Limits { get; }
    public TimeProvider Time { get; }
    public NonceSource Nonces { get; }
    public ILogger Logger { get; }
    public StoreTelemetry Telemetry { get; }

    /// <summary>The same for an opening as the only writer.</summary>
    public EngineSettings AsSingleWriter()
    {
        var settings = (EngineSettings)MemberwiseClone();
        settings.AgentId = null;
        return settings;
    }

    private static void Defined<TEnum>(TEnum value, string name)
        where TEnum : struct, Enum => Within(Enum.IsDefined(value), name, value, string.Join(", ", Enum.GetNames<TEnum>()));

    private static void Within(bool holds, string name, object? value, string allowed)
    {
        if (!holds) throw new ArgumentOutOfRangeException($"options.{name}", value, $"Allowed: {allowed}.");
    }
}

/// <summary>The random parts of names: from the system, or from a source that a simulation seeds.</summary>
internal sealed class NonceSource(Random? random)
{

    /// <summary>Eight hexadecimal digits.</summary>
    public string Next() => Hex(4);

    /// <summary>The identity of a store's history: 32 hexadecimal digits.</summary>
    public string NextIncarnation() => Hex(16);

    /// <summary>The seed of the index's hash, so that nobody can choose ids that collide.</summary>
    public ulong NextSeed() => BitConverter.ToUInt64(Bytes(8));

    private string Hex(int bytes) => Convert.ToHexStringLower(Bytes(bytes));

    private byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        if (random is null)
        {
            System.Security.Cryptography.RandomNumberGenerator.Fill(bytes);
            return bytes;
        }

        lock (random) random.NextBytes(bytes); // the storage may draw from the same source
        return bytes;
    }
}
