using System.Globalization;

namespace OpsLog.Simulation.Model;

internal enum ObjectKind
{
    Manifest,
    Snapshot,
    Log,
    Piece,
    History,
    Archive,
    Segment,
    Other,
}

/// <summary>What an object is, by its name (docs/format.md, Objects and names).</summary>
internal static class ObjectNames
{
    private const int PieceSuffix = 20; // -n, 12 digits, .jsonl
    private const int UniqueSuffix = 23; // -r, 12 digits, -, 8 digits

    public const string Manifest = "manifest.json";

    public static ObjectKind KindOf(string key)
    {
        if (key == Manifest) return ObjectKind.Manifest;
        if (key.StartsWith("snapshots/snap-", StringComparison.Ordinal)) return ObjectKind.Snapshot;
        if (key.StartsWith("ops/history-", StringComparison.Ordinal)) return ObjectKind.History;
        if (key.StartsWith("ops/", StringComparison.Ordinal)) return IsPiece(key) ? ObjectKind.Piece : ObjectKind.Log;
        if (!key.StartsWith("archive/archive-", StringComparison.Ordinal)) return ObjectKind.Other;
        var stem = key.AsSpan(0, key.Length - ".json".Length);
        return stem.Length > UniqueSuffix && stem[^UniqueSuffix..].StartsWith("-r", StringComparison.Ordinal) ? ObjectKind.Segment : ObjectKind.Archive;
    }

    public static (string Log, long Number) OfPiece(string key) =>
        ($"{key[..^PieceSuffix]}.jsonl", long.Parse(key.AsSpan(key.Length - PieceSuffix + 2, 12), CultureInfo.InvariantCulture));

    private static bool IsPiece(string key) => key.Length > PieceSuffix && key.AsSpan(key.Length - PieceSuffix, 2).SequenceEqual("-n") && char.IsAsciiDigit(key[^(PieceSuffix - 2)]);
}
