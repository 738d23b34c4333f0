using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>One record set.</summary>
internal sealed class SetRequest(string id, byte[] data, int length, Revision? expected) : CommitRequest
{
    public Revision Revision { get; private set; }

    public override void Prepare(CommitGroup group)
    {
        Expectation.Check(group, id, expected);
        group.Write(new LineDraft { Id = id, Kind = OperationKind.Set, Data = data.AsMemory(0, length) });
        Revision = group.Revision;
    }
}

/// <summary>One record deleted, if it is there.</summary>
internal sealed class DeleteRequest(string id, Revision? expected) : CommitRequest
{
    public bool Existed { get; private set; }

    public override void Prepare(CommitGroup group)
    {
        Expectation.Check(group, id, expected);
        Existed = group.TryFind(id, out _);
        if (Existed) group.Write(new LineDraft { Id = id, Kind = OperationKind.Delete });
    }
}

/// <summary>A change as part of a batch. No data: a delete.</summary>
internal readonly record struct BatchItem(string Id, byte[]? Data, BatchOrigin? Origin = null);

/// <summary>What the line of a change says besides the change, when it is no plain write: what it takes back, or where the record was moved.</summary>
internal sealed record BatchOrigin(UndoMark Mark, Stamp MarkOf = default, string? Segment = null, Stamp? Moved = null)
{
    /// <summary>The stamp that is restored; null: none, or not known.</summary>
    public Stamp? MarkTo { get; init; }

    /// <summary>The line is only a mark; a record that is there is set to what shows.</summary>
    public bool Noop { get; init; }
}

/// <summary>Several changes as one unit: all or nothing, one append. Deletes of absent records are left out.</summary>
internal sealed class BatchRequest(List<BatchItem> items) : CommitRequest
{
    /// <summary>Writes only the items whose record still has the stamp they moved (an archive run).</summary>
    public bool OnlyIfUnmoved { get; init; }

    public int Written { get; private set; }

    public override void Prepare(CommitGroup group)
    {
        var standing = Effective(group);
        var index = 0;
        foreach (var item in standing)
        {
            group.Write(new LineDraft
            {
                Id = item.Id,
                Kind = item.Data is null ? OperationKind.Delete : OperationKind.Set,
                Data = item.Data,
                BatchIndex = index++,
                BatchSize = standing.Count,
                Mark = item.Origin?.Mark ?? UndoMark.None,
                MarkOf = item.Origin?.MarkOf ?? default,
                MarkTo = item.Origin?.MarkTo,
                Noop = item.Origin?.Noop ?? false,
                Segment = item.Origin?.Segment,
                Moved = item.Origin?.Moved,
            });
        }

        Written = standing.Count;
    }

    private List<BatchItem> Effective(CommitGroup group)
    {
        if (!items.Exists(i => i.Data is null)) return items; // a set always counts
        var present = new Dictionary<string, bool>(items.Count, StringComparer.Ordinal);
        var standing = new List<BatchItem>(items.Count);
        foreach (var item in items)
        {
            if (item.Data is null && item.Origin?.Noop != true && !(present.TryGetValue(item.Id, out var there) ? there : group.TryFind(item.Id, out _))) continue;
            if (OnlyIfUnmoved && item.Origin?.Moved is { } moved && group.RevisionOf(item.Id) != new Revision(moved.Clock, moved.Agent, moved.Log)) continue;
            present[item.Id] = item.Data is not null;
            standing.Add(item);
        }

        return standing;
    }
}

/// <summary>Optimistic concurrency: what the caller read must still be there.</summary>
internal static class Expectation
{
    public static void Check(CommitGroup group, string id, Revision? expected)
    {
        if (expected is not { } wanted) return;
        var actual = group.RevisionOf(id);
        if (actual == wanted || (wanted == Revision.None && actual == Revision.None)) return;
        throw new OpsLogException(OpsLogError.Conflict, $"The record '{id}' is at revision {actual}, not at {wanted} as expected. Read it again and decide.");
    }
}
