using System.Diagnostics.CodeAnalysis;

namespace OpsLog.Storage;

/// <summary>
/// The name of a stored object: parts joined by <c>/</c>, relative to the store's root. A part is any text without control characters,
/// <c>\</c>, <c>/</c> and lone surrogates that is not empty, <c>.</c> or <c>..</c>: a key never leads outside the root (invariant I7).
/// Compared and ordered by UTF-16 code unit.
/// </summary>
/// <remarks>
/// OpsLog itself makes names of <c>A-Z a-z 0-9 . _ - % ~</c> only; ids and agent ids are encoded before they become part of one. Other
/// names are those the npm package gave to archives and logs of its own.
/// </remarks>
public readonly struct StorageKey : IEquatable<StorageKey>, IComparable<StorageKey>
{
    /// <summary>The longest key, in characters.</summary>
    public const int MaxLength = 512;

    private readonly string? _value;

    /// <summary>Makes a key of a name.</summary>
    /// <param name="value">The name; empty only for <see cref="Root"/>.</param>
    /// <exception cref="ArgumentException">The name has a part or a character that a key must not have.</exception>
    public StorageKey(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (!IsValid(value)) throw new ArgumentException($"'{value}' is not a storage key: parts joined by '/', none of them empty, '.' or '..', without control characters, '\\' and lone surrogates, {MaxLength} characters at most.", nameof(value));
        _value = value;
    }

    /// <summary>The empty prefix: everything in the store.</summary>
    public static StorageKey Root => default;

    /// <summary>The name.</summary>
    public string Value => _value ?? "";

    /// <summary>Whether a text may be a key.</summary>
    public static bool IsValid([NotNullWhen(true)] string? value)
    {
        if (value is null || value.Length > MaxLength) return false;
        if (value.Length == 0) return true;
        foreach (var range in value.AsSpan().Split('/'))
        {
            var part = value.AsSpan(range);
            if (part.IsEmpty || part is "." or "..") return false;
            foreach (var c in part)
                if (char.IsControl(c) || c == '\\') return false;
        }

        return !Format.JsonText.HasLoneSurrogate(value);
    }

    /// <inheritdoc/>
    public bool Equals(StorageKey other) => string.Equals(Value, other.Value, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is StorageKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => string.GetHashCode(Value, StringComparison.Ordinal);

    /// <inheritdoc/>
    public int CompareTo(StorageKey other) => string.CompareOrdinal(Value, other.Value);

    /// <summary>The name.</summary>
    public override string ToString() => Value;

    /// <summary>Whether two keys are the same name.</summary>
    public static bool operator ==(StorageKey left, StorageKey right) => left.Equals(right);

    /// <summary>Whether two keys are different names.</summary>
    public static bool operator !=(StorageKey left, StorageKey right) => !left.Equals(right);

    /// <summary>Ordinal order.</summary>
    public static bool operator <(StorageKey left, StorageKey right) => left.CompareTo(right) < 0;

    /// <summary>Ordinal order.</summary>
    public static bool operator <=(StorageKey left, StorageKey right) => left.CompareTo(right) <= 0;

    /// <summary>Ordinal order.</summary>
    public static bool operator >(StorageKey left, StorageKey right) => left.CompareTo(right) > 0;

    /// <summary>Ordinal order.</summary>
    public static bool operator >=(StorageKey left, StorageKey right) => left.CompareTo(right) >= 0;
}
