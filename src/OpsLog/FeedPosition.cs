using OpsLog.Engine;
using OpsLog.Engine.Agents;

namespace OpsLog;

/// <summary>
/// A place in a store's feed of operations: for each log, how far it was read. It stays valid across checkpoints and restarts while the
/// operations behind it are retained, and is refused by another incarnation of the store (a restored backup). <see langword="default"/> is the start.
/// </summary>
public readonly struct FeedPosition : IEquatable<FeedPosition>
{
    private readonly object? _place; // its text, or what makes it: most positions are never asked for

    internal FeedPosition(object place) => _place = place;

    internal FeedCursor? FeedCursor => _place as FeedCursor ?? (_place is string text && FeedCursor.TryParse(text, out var cursor) ? cursor : null);

    internal AgentCursor? AgentCursor => _place as AgentCursor ?? (_place is string text ? AgentCursor.TryParse(text) : null);

    /// <summary>The start of the feed: everything that is retained.</summary>
    public static FeedPosition Start => default;

    /// <summary>Reads a position that <see cref="ToString"/> gave.</summary>
    /// <exception cref="FormatException">The text is no position.</exception>
    public static FeedPosition Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0) return default;
        if (!FeedCursor.TryParse(text, out _) && AgentCursor.TryParse(text) is null) throw new FormatException($"'{text}' is not a feed position.");
        return new FeedPosition(text);
    }

    /// <summary>The position as text, to be kept by a consumer.</summary>
    public override string ToString() => _place?.ToString() ?? "";

    /// <inheritdoc/>
    public bool Equals(FeedPosition other) => string.Equals(ToString(), other.ToString(), StringComparison.Ordinal);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is FeedPosition other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => string.GetHashCode(ToString(), StringComparison.Ordinal);

    /// <summary>Whether two positions are the same place.</summary>
    public static bool operator ==(FeedPosition left, FeedPosition right) => left.Equals(right);

    /// <summary>Whether two positions are different places.</summary>
    public static bool operator !=(FeedPosition left, FeedPosition right) => !left.Equals(right);
}
