using System.Globalization;
using System.Text;

namespace OpsLog.Engine.Agents;

/// <summary>
/// A place in the feed of a store of many writers, as text <c>incarnation/revision:log@offset,log@offset</c>: how far each log was delivered that was registered at that revision of the
/// manifest, or was not delivered to its end. A log with an older name that is not listed was delivered whole; one with a newer name has not been begun.
/// </summary>
internal sealed record AgentCursor(string Incarnation, long Revision, IReadOnlyDictionary<string, long> Offsets)
{
    public override string ToString()
    {
        var text = new StringBuilder(Incarnation).Append('/').Append(CultureInfo.InvariantCulture, $"{Revision}:");
        foreach (var (log, offset) in Offsets.OrderBy(o => o.Key, StringComparer.Ordinal))
        {
            if (text[^1] != ':') text.Append(',');
            text.Append(log).Append('@').Append(offset.ToString(CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }

    public static AgentCursor? TryParse(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (slash < 0 || colon < slash || !long.TryParse(text.AsSpan(slash + 1, colon - slash - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var revision)) return null;
        var offsets = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var part in text[(colon + 1)..].Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var at = part.LastIndexOf('@');
            if (at < 0 || !long.TryParse(part.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var offset)) return null;
            offsets[part[..at]] = offset;
        }

        return new AgentCursor(text[..slash], revision, offsets);
    }
}
