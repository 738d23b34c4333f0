using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>One record set. Used again for other calls, with the memory its document was written in (<see cref="SpareRequests"/>).</summary>
internal sealed class SetRequest : CommitRequest
{
    private string _id = "";
    private Revision? _expected;

    /// <summary>Holds the document, and nothing else.</summary>
    public DocumentBuffer Document { get; } = new();

    public Revision Revision { get; private set; }

    /// <summary>Says what is to be set.</summary>
    public void Begin(string id, Revision? expected) => (_id, _expected) = (id, expected);

    public override void Prepare(CommitGroup group)
    {
        Expectation.Check(group, _id, _expected);
        group.Write(new LineDraft { Id = _id, Kind = OperationKind.Set, Data = Document.From(0) });
        Revision = group.Revision;
    }

    /// <summary>As if it were new.</summary>
    public void Clear()
    {
        Reset();
        Document.Clear();
    }
}

/// <summary>One record deleted, if it is there.</summary>
internal sealed class DeleteRequest(string id, Revision? expected) : CommitRequest
{
    public bool Existed { get; private set; }

    public override void Prepare(CommitGroup group)
    {
        Expectation.Check(group, id, expected);
        Existed = group.Exists(id);
        if (Existed) group.Write(new LineDraft { Id = id, Kind = OperationKind.Delete });
    }
}

/// <summary>A change as part of a batch. No array: a delete.</summary>
internal readonly record struct BatchItem(string Id, ArraySegment<byte> Data, BatchOrigin? Origin = null)
{
    public BatchItem(string id, byte[]? data, BatchOrigin origin)
        : this(id, data is null ? default : new ArraySegment<byte>(data), origin)
    {
    }

    public bool IsDelete => Data.Array is null;
}

/// <summary>What the line of a change says besides the change, when it is no plain write: what it takes back, or where the record was moved.</summary>
internal sealed record BatchOrigin(UndoMark Mark, Stamp MarkOf = default, string? Segment = null, Stamp? Moved = null)
{
    /// <summary>The stamp that is restored; null: none, or not known.</summary>
    public Stamp? MarkTo { get; init; }

    /// <summary>The line is only a mark; a record that is there is set to what shows.</summary>
    public bool Noop { get; init; }

    /// <summary>The stamp of what showed when it was found out what to restore; null: nothing was known of the record.</summary>
    public Stamp? Seen { get; init; }
}

/// <summary>Several changes as one unit: all or nothing, one append. Deletes of absent records are left out.</summary>
internal sealed class BatchRequest(List<BatchItem> items) : CommitRequest
{
    /// <summary>Writes only the items whose record still has the stamp they moved (an archive run).</summary>
    public bool OnlyIfUnmoved { get; init; }

    /// <summary>Writes nothing if a record shows something else than what was seen (an undo among agents).</summary>
    public bool OnlyIfSeen { get; init; }

    /// <summary>Nothing was written, for others' writes have come in since.</summary>
    public bool IsOutdated { get; private set; }

    public int Written { get; private set; }

    public override void Prepare(CommitGroup group)
    {
        IsOutdated = OnlyIfSeen && items.Exists(item => group.StampOf(item.Id) != item.Origin?.Seen);
        if (IsOutdated) return;
        var standing = Effective(group);
        var index = 0;
        foreach (var item in standing)
        {
            group.Write(new LineDraft
            {
                Id = item.Id,
                Kind = item.IsDelete ? OperationKind.Delete : OperationKind.Set,
                Data = item.Data,
                BatchIndex = index++,
                BatchSize = standing.Count,
                Origin = item.Origin,
            });
        }

        Written = standing.Count;
    }

    private List<BatchItem> Effective(CommitGroup group)
    {
        if (!items.Exists(i => i.IsDelete)) return items; // a set always counts
        var present = new Dictionary<string, bool>(items.Count, StringComparer.Ordinal);
        var standing = new List<BatchItem>(items.Count);
        foreach (var item in items)
        {
            if (item.IsDelete && item.Origin?.Noop != true && !(present.TryGetValue(item.Id, out var there) ? there : group.Exists(item.Id))) continue;
            if (OnlyIfUnmoved && item.Origin?.Moved is { } moved && group.RevisionOf(item.Id) != new Revision(moved.Clock, moved.Agent, moved.Log)) continue;
            present[item.Id] = !item.IsDelete;
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
        throw new OpsLogException(OpsLogError.Conflict, $"The record '{id}' is at revision {actual}, not at {wanted} as expected. Read it again and decide.") { IsOfRevision = true };
    }
}
