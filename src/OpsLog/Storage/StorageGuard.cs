namespace OpsLog.Storage;

/// <summary>The argument checks that every storage here shares.</summary>
internal static class StorageGuard
{
    public static void RequireName(StorageKey key)
    {
        if (key.Value.Length == 0) throw new ArgumentException("The empty key is a prefix, not the name of an object.", nameof(key));
    }

    public static void RequireRange(ByteRange range)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(range.Offset, nameof(range));
        if (range.Length is { } length) ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(range));
    }

    /// <summary>The part of a range that lies inside an object.</summary>
    public static (long Offset, long Count) Cut(ByteRange range, long length)
    {
        var offset = Math.Min(range.Offset, length);
        return (offset, Math.Min(range.Length ?? long.MaxValue, length - offset));
    }
}
