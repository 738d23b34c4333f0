using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace OpsLog.Simulation.Model;

/// <summary>A record or tombstone of a snapshot.</summary>
internal readonly record struct SnapshotEntryModel(SimStamp Stamp, ReadOnlyMemory<byte> Data, bool IsTombstone)
{
    // A tombstone may stand for an archiving delete, which ranks just above the stamp it has.
    public Rank Rank => new(Stamp, IsTombstone ? 1 : 0);
}

/// <summary>A snapshot in the JSON lines layout, read by docs/format.md alone.</summary>
internal sealed class SnapshotModel
{
    public required long Floor { get; init; }

    public Dictionary<string, SnapshotEntryModel> Entries { get; } = new(StringComparer.Ordinal);

    /// <exception cref="InvariantViolation">It is not what the manifest says, or no snapshot.</exception>
    public static SnapshotModel Read(ReadOnlyMemory<byte> bytes, SnapshotReference reference)
    {
        if (bytes.Length != reference.Length || Checksum(bytes.Span) != reference.Checksum)
            throw new InvariantViolation(Invariant.V10Manifest, $"the snapshot {reference.Name} has {bytes.Length} bytes and checksum {Checksum(bytes.Span)}, not {reference.Length} and {reference.Checksum}");
        try
        {
            return Parse(bytes, reference);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new InvariantViolation(Invariant.V10Manifest, $"the snapshot {reference.Name} is none: {e.Message}");
        }
    }

    public static string Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = 0xFFFFFFFFu;
        for (; bytes.Length >= 8; bytes = bytes[8..]) crc = BitOperations.Crc32C(crc, BitConverter.ToUInt64(bytes));
        foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        return (~crc).ToString("x8", CultureInfo.InvariantCulture);
    }

    private static SnapshotModel Parse(ReadOnlyMemory<byte> bytes, SnapshotReference reference)
    {
        using var header = JsonDocument.Parse(Line(ref bytes));
        var logs = header.RootElement.GetProperty("logs").EnumerateArray()
            .Select(l => (Name: l.GetProperty("name").GetString()!, Agent: l.GetProperty("agent").GetString()!)).ToList();
        var snapshot = new SnapshotModel { Floor = header.RootElement.GetProperty("floor").GetInt64() };
        if (snapshot.Floor != reference.Floor) throw new InvariantViolation(Invariant.V10Manifest, $"the floor of {reference.Name} is {snapshot.Floor}, the manifest says {reference.Floor}");
        foreach (var tombstone in header.RootElement.GetProperty("tombstones").EnumerateArray())
        {
            var log = logs[tombstone[2].GetInt32()];
            snapshot.Entries.Add(tombstone[0].GetString()!, new SnapshotEntryModel(new SimStamp(tombstone[1].GetInt64(), log.Agent, log.Name), default, true));
        }

        var count = 0;
        for (; bytes.Length > 0; count++)
        {
            var line = Line(ref bytes);
            using var record = JsonDocument.Parse(line);
            var log = logs[record.RootElement.GetProperty("log").GetInt32()];
            var stamp = new SimStamp(record.RootElement.GetProperty("clock").GetInt64(), log.Agent, log.Name);
            var data = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(record.RootElement.GetProperty("data")).ToArray();
            snapshot.Entries.Add(record.RootElement.GetProperty("id").GetString()!, new SnapshotEntryModel(stamp, data, false));
        }

        if (count != reference.Count) throw new InvariantViolation(Invariant.V10Manifest, $"the snapshot {reference.Name} has {count} records, the manifest says {reference.Count}");
        return snapshot;
    }

    private static ReadOnlyMemory<byte> Line(ref ReadOnlyMemory<byte> bytes)
    {
        var length = bytes.Span.IndexOf((byte)'\n');
        if (length < 0) throw new JsonException("The last line has no newline.");
        var line = bytes[..length];
        bytes = bytes[(length + 1)..];
        return line;
    }
}
