using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using OpsLog.Storage;

namespace OpsLog.Format;

/// <summary>What a stored object is, by its name.</summary>
internal enum StoredKind
{
    Manifest,
    Snapshot,

    /// <summary>A single writer's log.</summary>
    Log,

    /// <summary>An agent's log.</summary>
    AgentLog,

    /// <summary>One object of a numbered log.</summary>
    Piece,

    /// <summary>An index of the logs kept for history.</summary>
    History,

    /// <summary>A period's archive, replaced as a whole.</summary>
    Archive,

    /// <summary>One of the segments that many writers make of a period.</summary>
    ArchiveSegment,
}

/// <summary>A stored name, taken apart.</summary>
/// <param name="Kind">What the object is.</param>
/// <param name="Key">The name.</param>
/// <param name="Revision">The manifest revision it was based on; -1: the name has none.</param>
/// <param name="Nonce">The random part; empty where the name has none.</param>
/// <param name="Data">The encoded agent or period as it stands in the name; empty where there is none.</param>
/// <param name="Number">The number of a piece, from 1; else 0.</param>
internal readonly record struct StoredName(StoredKind Kind, StorageKey Key, long Revision, string Nonce, string Data, long Number)
{
    /// <summary>Whether the name has our own pattern: only such objects are ever collected.</summary>
    public bool IsOurs => Revision >= 0;

    /// <summary>The key of the numbered log that a piece belongs to; for anything else its own key.</summary>
    public StorageKey LogKey => Kind == StoredKind.Piece ? new StorageKey(Key.Value[..^(StoreKeys.PieceSuffixLength + StoreKeys.LinesExtension.Length)] + StoreKeys.LinesExtension) : Key;
}

/// <summary>
/// Makes and takes apart every stored name (docs/format.md, Names). Ordinal order of the names of one kind is the order of their revisions.
/// </summary>
internal static class StoreKeys
{
    internal const string LinesExtension = ".jsonl";
    internal const int PieceSuffixLength = 2 + Digits; // -n000000000001

    private const string JsonExtension = ".json";
    private const string SnapshotPrefix = "snapshots/snap-";
    private const string LogPrefix = "ops/ops-";
    private const string AgentPrefix = "ops/agent-";
    private const string HistoryPrefix = "ops/history-";
    private const string ArchivePrefix = "archive/archive-";
    private const int Digits = 12;
    private const int NonceLength = 8;
    private const int VersionLength = 1 + Digits + 1 + NonceLength; // r000000000001-0123abcd
    private const int MaxEncoded = 100;
    private const int KeptOfLong = 60;
    private const int HashDigits = 16;

    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdef");

    public static StorageKey Manifest { get; } = new("manifest.json");

    public static StorageKey Snapshots { get; } = new("snapshots");

    public static StorageKey Logs { get; } = new("ops");

    public static StorageKey ArchiveFolder { get; } = new("archive");

    public static StorageKey Snapshot(long revision, string nonce, bool isJson) => Make(SnapshotPrefix, "", revision, nonce, isJson ? JsonExtension : LinesExtension);

    /// <summary>A log's key: of a single writer if <paramref name="agent"/> is empty.</summary>
    public static StorageKey Log(string agent, long revision, string nonce)
        => agent.Length == 0 ? Make(LogPrefix, "", revision, nonce, LinesExtension) : Make(AgentPrefix, Encode(agent) + "-", revision, nonce, LinesExtension);

    public static StorageKey History(long revision, string nonce) => Make(HistoryPrefix, "", revision, nonce, JsonExtension);

    public static StorageKey Archive(string period)
    {
        // A period that looks like the name of a segment is set apart by encoding a hyphen that needs none.
        var encoded = Encode(period);
        if (TryParseVersion(encoded, out var rest, out _, out _) && rest.Length > 0) encoded = string.Concat(rest, "%2D", encoded.AsSpan(rest.Length + 1));
        return new StorageKey(ArchivePrefix + encoded + JsonExtension);
    }

    public static StorageKey ArchiveSegment(string period, long revision, string nonce) => Make(ArchivePrefix, Encode(period) + "-", revision, nonce, JsonExtension);

    /// <summary>The n-th object of a numbered log, from 1.</summary>
    public static StorageKey Piece(StorageKey log, long number)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        if (!log.Value.EndsWith(LinesExtension, StringComparison.Ordinal)) throw new ArgumentException($"'{log}' is no log.", nameof(log));
        return new StorageKey(string.Create(CultureInfo.InvariantCulture, $"{log.Value[..^LinesExtension.Length]}-n{number:D12}{LinesExtension}"));
    }

    /// <summary>Takes a name apart, ours or the package's; false for a name of neither.</summary>
    public static bool TryParse(StorageKey key, out StoredName name)
    {
        var text = key.Value;
        name = default;
        if (key == Manifest) name = new StoredName(StoredKind.Manifest, key, -1, "", "", 0);
        else if (TryBody(text, SnapshotPrefix, LinesExtension, out var body) || TryBody(text, SnapshotPrefix, JsonExtension, out body)) name = Plain(StoredKind.Snapshot, key, body);
        else if (TryBody(text, LogPrefix, LinesExtension, out body)) name = LogName(StoredKind.Log, key, body);
        else if (TryBody(text, AgentPrefix, LinesExtension, out body)) name = LogName(StoredKind.AgentLog, key, body);
        else if (TryBody(text, HistoryPrefix, JsonExtension, out body) && TryParseVersion(body, out var rest, out _, out _) && rest.Length == 0) name = Plain(StoredKind.History, key, body);
        else if (TryBody(text, ArchivePrefix, JsonExtension, out body))
        {
            name = TryParseVersion(body, out rest, out var revision, out var nonce) && rest.Length > 0
                ? new StoredName(StoredKind.ArchiveSegment, key, revision, nonce, rest, 0)
                : new StoredName(StoredKind.Archive, key, -1, "", body, 0);
        }
        else return false;
        return true;
    }

    /// <summary>Whether a name has our own pattern; the manifest and a period's archive have not, they are replaced and never collected.</summary>
    public static bool IsOurs(StorageKey key) => TryParse(key, out var name) && name.IsOurs;

    /// <summary>Whether a log was registered by us for an agent, living or folded: it may end in a seal, and a clock of it may be too large to count (docs/format.md, Clocks).</summary>
    public static bool IsAgentsOfOurs(StorageKey log, string agent) => agent.Length > 0 && IsOurs(log);

    /// <summary>Whether a name is that of a log, ours or the package's, and not of a piece.</summary>
    public static bool IsLog(StorageKey key) => TryParse(key, out var name) && name.Kind is StoredKind.Log or StoredKind.AgentLog;

    /// <summary>Whether a name is that of one of the segments that many writers make of a period.</summary>
    public static bool IsArchiveSegment(StorageKey key) => TryParse(key, out var name) && name.Kind == StoredKind.ArchiveSegment;

    /// <summary>The revision in a name; 0 where there is none. A new revision is above all of them.</summary>
    public static long RevisionOf(StorageKey key) => TryParse(key, out var name) && name.IsOurs ? name.Revision : 0;

    /// <summary>The period of an archive that the package named, which puts it into the name as it is.</summary>
    public static bool TryPackagePeriod(string name, [NotNullWhen(true)] out string? period)
    {
        var found = TryBody(name, ArchivePrefix, JsonExtension, out var body) && body.Length > 0;
        period = found ? body : null;
        return found;
    }

    /// <summary>
    /// Makes data part of a name: every UTF-8 byte but <c>A-Z a-z 0-9 _ - .</c> becomes <c>%XX</c>, a leading dot too; what is longer than
    /// 100 characters then is cut to 60, a tilde and 16 digits of its SHA-256.
    /// </summary>
    public static string Encode(string data)
    {
        var wtf8 = new byte[JsonText.MaxWtf8(data.Length)];
        var bytes = wtf8.AsSpan(0, JsonText.ToWtf8(data, wtf8));
        var name = new StringBuilder(bytes.Length);
        foreach (var b in bytes)
        {
            var isSafe = char.IsAsciiLetterOrDigit((char)b) || b is (byte)'_' or (byte)'-' || (b == '.' && name.Length > 0);
            if (isSafe) name.Append((char)b);
            else name.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }

        if (name.Length <= MaxEncoded) return name.ToString();
        return name.ToString(0, KeptOfLong) + "~" + Convert.ToHexStringLower(SHA256.HashData(bytes))[..HashDigits];
    }

    private static StorageKey Make(string prefix, string data, long revision, string nonce, string extension)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(revision);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(revision, 1_000_000_000_000);
        if (nonce.Length != NonceLength || nonce.AsSpan().ContainsAnyExcept(Hex)) throw new ArgumentException("A nonce is 8 lower-case hexadecimal digits.", nameof(nonce));
        return new StorageKey(string.Create(CultureInfo.InvariantCulture, $"{prefix}{data}r{revision:D12}-{nonce}{extension}"));
    }

    private static StoredName Plain(StoredKind kind, StorageKey key, string body)
        => TryParseVersion(body, out var rest, out var revision, out var nonce) && rest.Length == 0
            ? new StoredName(kind, key, revision, nonce, "", 0)
            : new StoredName(kind, key, -1, "", "", 0);

    private static StoredName LogName(StoredKind kind, StorageKey key, string body)
    {
        var number = 0L;
        if (body.Length > PieceSuffixLength && body.AsSpan()[^PieceSuffixLength..].StartsWith("-n", StringComparison.Ordinal) && TryNumber(body.AsSpan()[^Digits..], out var piece) && piece > 0)
        {
            number = piece;
            body = body[..^PieceSuffixLength];
        }

        // The package's logs are no numbered logs: what looks like a piece of one is a log.
        var isOurs = TryParseVersion(body, out var rest, out var revision, out var nonce) && (kind == StoredKind.AgentLog) == (rest.Length > 0);
        if (!isOurs) return new StoredName(kind, key, -1, "", "", 0);
        return new StoredName(number > 0 ? StoredKind.Piece : kind, key, revision, nonce, rest, number);
    }

    /// <summary>Cuts <c>r000000000001-0123abcd</c> off the end, and the hyphen before it if anything is left.</summary>
    private static bool TryParseVersion(string body, out string rest, out long revision, out string nonce)
    {
        rest = "";
        revision = -1;
        nonce = "";
        if (body.Length < VersionLength) return false;
        var version = body.AsSpan()[^VersionLength..];
        if (version[0] != 'r' || version[1 + Digits] != '-' || version[^NonceLength..].ContainsAnyExcept(Hex) || !TryNumber(version.Slice(1, Digits), out var number)) return false;
        if (body.Length > VersionLength)
        {
            if (body.Length < VersionLength + 2 || body[^(VersionLength + 1)] != '-') return false;
            rest = body[..^(VersionLength + 1)];
        }

        revision = number;
        nonce = new string(version[^NonceLength..]);
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<char> digits, out long number)
        => long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static bool TryBody(string text, string prefix, string extension, out string body)
    {
        var isMatch = text.Length > prefix.Length + extension.Length && text.StartsWith(prefix, StringComparison.Ordinal) && text.EndsWith(extension, StringComparison.Ordinal);
        body = isMatch ? text[prefix.Length..^extension.Length] : "";
        return isMatch && !body.Contains('/', StringComparison.Ordinal);
    }
}
