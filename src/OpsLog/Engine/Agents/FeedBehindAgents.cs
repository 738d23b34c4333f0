using System.Runtime.CompilerServices;
using OpsLog.Format;

namespace OpsLog.Engine.Agents;

/// <summary>
/// The feed of a single writer's store from a position of the time when it had agents: log by log in the order of history, each from where the position says. As long
/// as a later log had been begun then, positions go on to say of each log how far it was read; behind the last of those they are a single writer's.
/// </summary>
internal sealed class FeedBehindAgents(FeedReader reader, Manifest manifest, IReadOnlyList<FeedLog> logs, AgentCursor since)
{
    public async IAsyncEnumerable<RawOperation> ReadAsync(string? id, [EnumeratorCancellation] CancellationToken ct)
    {
        var starts = new FeedStarts(manifest, logs, EndOf).Of(since);
        var lastBegun = Array.FindLastIndex(starts, start => start > 0);
        var begun = new HashSet<FeedLog>(logs.Take(Math.Max(0, lastBegun)), ReferenceEqualityComparer.Instance);
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
