namespace OpsLog.Storage;

/// <summary>Names below a prefix of a bucket or container. A key can name nothing outside of it.</summary>
internal sealed class KeyMap
{
    /// <summary>Names that begin like this are the storage's own, and no keys.</summary>
    public const string Own = "~opslog-probe-";

    private const int MostBytes = 1024; // of a name, in UTF-8, on S3 and on Azure

    private readonly bool _dotsMayEndParts;

    /// <exception cref="ArgumentException">The prefix cannot be one.</exception>
    public KeyMap(string prefix, string parameter, bool dotsMayEndParts = true)
    {
        _dotsMayEndParts = dotsMayEndParts;
        prefix = (prefix ?? "").Trim('/');
        if (!StorageKey.IsValid(prefix))
            throw new ArgumentException("A prefix has parts joined by '/', none of them empty, '.' or '..', without control characters and '\\'.", parameter);
        Prefix = prefix.Length == 0 ? "" : prefix + "/";
    }

    /// <summary>What all names begin with: empty, or parts that each end in a slash.</summary>
    public string Prefix { get; }

    /// <exception cref="StorageException">The name cannot be had here.</exception>
    public string NameOf(StorageKey key) => Obstacle(key) is { } obstacle
        ? throw new StorageException(StorageFault.BadName, $"'{key}' can't be an object: {obstacle}.")
        : Prefix + key.Value;

    /// <summary>Whether an object may have that name; no object has another.</summary>
    public bool CanName(StorageKey key) => Obstacle(key) is null;

    /// <summary>The key of a listed name; null if it is none.</summary>
    public StorageKey? KeyOf(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal)) return null;
        var rest = name[Prefix.Length..];
        return rest.Length > 0 && StorageKey.IsValid(rest) && CanName(new StorageKey(rest)) ? new StorageKey(rest) : null;
    }

    private string? Obstacle(StorageKey key)
    {
        if (key.Value.StartsWith(Own, StringComparison.Ordinal)) return $"names that begin with '{Own}' are the storage's own";
        if (!_dotsMayEndParts && (key.Value.EndsWith('.') || key.Value.Contains("./", StringComparison.Ordinal))) return "no part of a name may end with a dot";
        return System.Text.Encoding.UTF8.GetByteCount(Prefix + key.Value) > MostBytes ? $"with the prefix its name has more than {MostBytes} bytes" : null;
    }

    /// <summary>Whether a server that orders names by their UTF-8 bytes has everything behind a key where the key's own order has it.</summary>
    public static bool OrdersAlike(StorageKey key) => key.Value.All(c => c < '\uD800');

    /// <summary>Whether a listing is to yield a key.</summary>
    public static bool IsWanted(StorageKey key, StorageKey prefix, StorageKey? after) =>
        key.Value.StartsWith(prefix.Value, StringComparison.Ordinal) && (after is not { } last || key > last);
}
