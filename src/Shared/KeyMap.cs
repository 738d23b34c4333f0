namespace OpsLog.Storage;

/// <summary>Names below a prefix of a bucket or container. A key can name nothing outside of it.</summary>
internal sealed class KeyMap
{
    /// <summary>Names that begin like this are the storage's own, and no keys.</summary>
    public const string Own = "~opslog-probe-";

    private const int MostBytes = 1024; // of a name, in UTF-8, on S3 and on Azure

    public KeyMap(string prefix, string parameter)
    {
        prefix = (prefix ?? "").Trim('/');
        if (!StorageKey.IsValid(prefix))
            throw new ArgumentException("A prefix has parts joined by '/', none of them empty, '.' or '..', without control characters and '\\'.", parameter);
        Prefix = prefix.Length == 0 ? "" : prefix + "/";
    }

    /// <summary>What all names begin with: empty, or parts that each end in a slash.</summary>
    public string Prefix { get; }

    /// <exception cref="StorageException">The name cannot be had here.</exception>
    public string NameOf(StorageKey key)
    {
        if (key.Value.StartsWith(Own, StringComparison.Ordinal))
            throw new StorageException(StorageFault.BadName, $"'{key}' can't be an object: names that begin with '{Own}' are the storage's own.");
        var name = Prefix + key.Value;
        if (System.Text.Encoding.UTF8.GetByteCount(name) > MostBytes)
            throw new StorageException(StorageFault.BadName, $"'{key}' can't be an object: with the prefix its name has more than {MostBytes} bytes.");
        return name;
    }

    /// <summary>Whether an object may have that name; no object has another.</summary>
    public bool CanName(StorageKey key) =>
        !key.Value.StartsWith(Own, StringComparison.Ordinal) && System.Text.Encoding.UTF8.GetByteCount(Prefix + key.Value) <= MostBytes;

    /// <summary>The key of a listed name; null if it is none.</summary>
    public StorageKey? KeyOf(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal)) return null;
        var rest = name[Prefix.Length..];
        return rest.Length == 0 || rest.StartsWith(Own, StringComparison.Ordinal) || !StorageKey.IsValid(rest) ? null : new StorageKey(rest);
    }

    /// <summary>Whether a server that orders names by their UTF-8 bytes has everything behind a key where the key's own order has it.</summary>
    public static bool OrdersAlike(StorageKey key) => key.Value.All(c => c < '\uD800');

    /// <summary>Whether a listing is to yield a key.</summary>
    public static bool IsWanted(StorageKey key, StorageKey prefix, StorageKey? after) =>
        key.Value.StartsWith(prefix.Value, StringComparison.Ordinal) && (after is not { } last || key > last);
}
