using System.Text.Json;

namespace OpsLog.Simulation.Model;

internal sealed record RegisteredLog(string Name, string Agent, long Start, long Covered, long Clock, bool Sealed);

internal sealed record RetiredLogModel(string Name, string Agent, long Length, long Clock);

internal sealed record SnapshotReference(string Name, long Length, string Checksum, long Count, long Clock, long Floor);

/// <summary>The manifest, read by docs/format.md alone.</summary>
internal sealed record ManifestModel
{
    public required long Revision { get; init; }

    public required string Incarnation { get; init; }

    public required SnapshotReference Snapshot { get; init; }

    public required List<RegisteredLog> Logs { get; init; }

    public required List<RetiredLogModel> Retired { get; init; }

    public required List<string> Reserved { get; init; }

    public string? History { get; init; }

    public required List<(string Period, List<string> Objects)> Archives { get; init; }

    public string? Exclusive { get; init; }

    public required string ActiveOps { get; init; }

    /// <summary>Whether it names an object, or keeps a name for one.</summary>
    public bool Names(string key) =>
        key == Snapshot.Name || key == History || key == ActiveOps || Reserved.Contains(key) || Logs.Exists(l => l.Name == key) || Archives.Exists(a => a.Objects.Contains(key));

    /// <summary>Each name in it, those of what is gone included.</summary>
    public IEnumerable<string> AllNames =>
        [Snapshot.Name, ActiveOps, .. History is null ? [] : (string[])[History], .. Reserved, .. Logs.Select(l => l.Name), .. Retired.Select(l => l.Name), .. Archives.SelectMany(a => a.Objects)];

    /// <exception cref="InvariantViolation">It is none of ours.</exception>
    public static ManifestModel Read(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes);
            var package = document.RootElement;
            var ours = package.GetProperty("opslog");
            var snapshot = ours.GetProperty("snapshot");
            var history = ours.GetProperty("history");
            return new ManifestModel
            {
                Revision = ours.GetProperty("revision").GetInt64(),
                Incarnation = ours.GetProperty("incarnation").GetString()!,
                Snapshot = new SnapshotReference(Text(snapshot, "name"), Number(snapshot, "length"), Text(snapshot, "crc"), Number(snapshot, "count"), Number(snapshot, "clock"), Number(snapshot, "floor")),
                Logs = [.. ours.GetProperty("logs").EnumerateArray().Select(l => new RegisteredLog(Text(l, "name"), Text(l, "agent"), Number(l, "start"), Number(l, "covered"), Number(l, "clock"), l.GetProperty("sealed").GetBoolean()))],
                Retired = [.. ours.GetProperty("retired").EnumerateArray().Select(l => new RetiredLogModel(Text(l, "name"), Text(l, "agent"), Number(l, "length"), Number(l, "clock")))],
                Reserved = [.. ours.GetProperty("reserved").EnumerateArray().Select(r => r.GetString()!)],
                History = history.ValueKind == JsonValueKind.Null ? null : Text(history, "name"),
                Archives = [.. ours.GetProperty("archives").EnumerateArray().Select(a => (Text(a, "period"), a.GetProperty("objects").EnumerateArray().Select(o => Text(o, "name")).ToList()))],
                Exclusive = ours.GetProperty("exclusive").GetString(),
                ActiveOps = Text(package, "activeOps"),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvariantViolation(Invariant.V10Manifest, $"a manifest was written that is none: {e.Message}");
        }
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static long Number(JsonElement element, string name) => element.GetProperty(name).GetInt64();
}
