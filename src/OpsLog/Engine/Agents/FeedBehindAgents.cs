using System.Runtime.CompilerServices;
using OpsLog.Format;

namespace OpsLog.Engine.Agents;

/// <summary>
/// The feed of a single writer's store that had agents: log by log in the order of history, each from where the position says. As long as that order does not tell how
/// far the other logs were read, positions say it of each log; behind that they are a single writer's.
/// </summary>
internal sealed class FeedBehindAgents(FeedReader reader, Manifest manifest, IReadOnlyList<FeedLog> logs, FeedPosition position)
{
    public async IAsyncEnumerable<RawOperation> ReadAsync(string? id, [EnumeratorCancellation] CancellationToken ct)
    {
        var places = new FeedStarts(manifest, logs, EndOf);
        var since = position.AgentCursor ?? (position.FeedCursor is { } ofSingle ? places.Translate(ofSingle) : places.Beginning);
        var starts = places.Of(since);
        // Up to the last log but one that was begun, and the last that newer ones lie before.
        var unordered = Math.Max(Array.FindLastIndex(starts, start => start > 0), Enumerable.Range(0, logs.Count).LastOrDefault(places.LiesBehindNewer, -1) + 1);
        var begun = new HashSet<FeedLog>(logs.Take(Math.Max(0, unordered)), ReferenceEqualityComparer.Instance);
        var offsets = new Dictionary<string, long>(since.Offsets, StringComparer.Ordinal);
        await foreach (var operation in reader.ReadAsync(logs, manifest.Incarnation, () => starts, id, ct).ConfigureAwait(false))
        {
            if (!begun.Contains(operation.Log))
            {
                yield return operation;
                continue;
            }

            offsets[operation.Next.Log] = operation.Next.Offset;
            yield return operation with { Position = new FeedPosition(since with { Offsets = new Dictionary<string, long>(offsets, StringComparer.Ordinal) }) };
        }
    }

    // Of a numbered log the manifest counts objects, a position bytes: only an empty one is known to have been read.
    private long? EndOf(string log) =>
        manifest.Retired.FirstOrDefault(r => string.Equals(r.Name, log, StringComparison.Ordinal)) is { } retired && (!manifest.Numbered || retired.Length == 0) ? retired.Length : null;
}
