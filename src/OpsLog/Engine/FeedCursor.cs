using System.Globalization;

namespace OpsLog.Engine;

/// <summary>What a <see cref="FeedPosition"/> says: <c>incarnation/log@offset</c>. The offset lies behind a whole operation or batch.</summary>
internal sealed record FeedCursor(string Incarnation, string Log, long Offset)
{
    public FeedPosition ToPosition() => new(this);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Incarnation}/{Log}@{Offset}");

    public static bool TryParse(string text, out FeedCursor? cursor)
    {
        cursor = null;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var at = text.LastIndexOf('@');
        if (slash < 0 || at < slash || text.Contains(':', StringComparison.Ordinal)) return false;
        if (!long.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var offset)) return false;
        cursor = new FeedCursor(text[..slash], text[(slash + 1)..at], offset);
        return true;
    }
}
