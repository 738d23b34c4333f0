using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace OpsLog.Storage;

/// <summary>
/// Which file an object is, and which object a file is. A key is its own relative path, but for parts that Windows could not keep
/// (device names, a dot or space at the end): these get a <c>!</c> before and after, on every system, so that a folder can be carried about.
/// </summary>
internal static class FileNames
{
    public const string LockSuffix = ".lock";
    public const string TemporarySuffix = ".tmp";
    private const int NonceLength = 16;
    private static readonly SearchValues<char> s_hex = SearchValues.Create("0123456789abcdef");

    /// <summary>The path of an object below the root, or null if the key's name is one that this storage needs for itself.</summary>
    public static string? RelativePath(StorageKey key)
    {
        var name = key.Value;
        if (IsOwn(name.AsSpan(name.LastIndexOf('/') + 1))) return null;
        if (!NeedsMarks(name)) return Path.DirectorySeparatorChar == '/' ? name : name.Replace('/', Path.DirectorySeparatorChar);
        return string.Join(Path.DirectorySeparatorChar, name.Split('/').Select(part => PartNeedsMarks(part) ? $"!{part}!" : part));
    }

    /// <summary>The part of a key that a file or folder stands for; false if it is none of the store's.</summary>
    public static bool TryPart(string fileName, [NotNullWhen(true)] out string? part)
    {
        part = fileName;
        if (fileName.Length > 2 && fileName[0] == '!' && fileName[^1] == '!' && PartNeedsMarks(fileName.AsSpan(1, fileName.Length - 2)))
            part = fileName[1..^1];
        else if (PartNeedsMarks(fileName)) return false;
        return !IsOwn(part) && part.Length > 0 && StorageKey.IsValid(part);
    }

    /// <summary>A name for a file that is to become another one. Starts with a dot, so that tools skip it.</summary>
    public static string Temporary(string fileName, string nonce) => $".{fileName}.{nonce}{TemporarySuffix}";

    /// <summary>Whether a name is one that <see cref="Temporary"/> makes.</summary>
    public static bool IsTemporary(ReadOnlySpan<char> fileName)
    {
        if (!fileName.StartsWith('.') || !fileName.EndsWith(TemporarySuffix, StringComparison.Ordinal)) return false;
        var rest = fileName[1..^TemporarySuffix.Length];
        return rest.Length > NonceLength + 1 && rest[^(NonceLength + 1)] == '.' && !rest[^NonceLength..].ContainsAnyExcept(s_hex);
    }

    private static bool IsOwn(ReadOnlySpan<char> fileName) =>
        fileName.EndsWith(LockSuffix, StringComparison.OrdinalIgnoreCase) || IsTemporary(fileName);

    private static bool NeedsMarks(string name)
    {
        foreach (var range in name.AsSpan().Split('/'))
            if (PartNeedsMarks(name.AsSpan(range))) return true;
        return false;
    }

    private static bool PartNeedsMarks(ReadOnlySpan<char> part)
    {
        if (part.EndsWith('.') || part.EndsWith(' ')) return true;
        if (part.Length > 2 && part[0] == '!' && part[^1] == '!' && PartNeedsMarks(part[1..^1])) return true;
        var dot = part.IndexOf('.');
        var stem = dot < 0 ? part : part[..dot];
        if (stem.Length is < 3 or > 4) return false;
        var head = stem[..3];
        return stem.Length == 3
            ? Is(head, "con") || Is(head, "prn") || Is(head, "aux") || Is(head, "nul")
            : stem[3] is >= '0' and <= '9' && (Is(head, "com") || Is(head, "lpt"));

        static bool Is(ReadOnlySpan<char> text, string name) => text.Equals(name, StringComparison.OrdinalIgnoreCase);
    }
}
