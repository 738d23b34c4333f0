namespace OpsLog.Engine;

internal sealed class FeedCursor
{
    public static bool TryParse(string text, out FeedCursor? cursor) => throw new NotImplementedException(text + (cursor = null));
}
