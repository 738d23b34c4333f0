using System.Text.Json;

namespace OpsLog.Cli.Apply;

/// <summary>What a line of the input asks for.</summary>
internal enum ApplyKind
{
    Set,
    Delete,
    Undo,
    Redo,
    Compact,
    Refresh,
    Archive,
    Batch,
}

/// <summary>A set, or a delete (without a document).</summary>
/// <param name="Line">The number of the input line it stands in.</param>
/// <param name="Id">The record.</param>
/// <param name="Document">The document of a set; it owns its bytes.</param>
internal readonly record struct ApplyOperation(long Line, string Id, JsonElement? Document);

/// <summary>One line of the input, read. Filled anew for each line.</summary>
internal sealed class ApplyLine
{
    /// <summary>The line's number, from 1.</summary>
    public long Number { get; set; }

    public ApplyKind Kind { get; set; }

    /// <summary>Of a set or delete.</summary>
    public string Id { get; set; } = "";

    /// <summary>Of a set.</summary>
    public JsonElement Document { get; set; }

    /// <summary>Of an archive line.</summary>
    public List<string> Ids { get; private set; } = [];

    /// <summary>Of an archive line; <see langword="null"/> for the store's own choice.</summary>
    public string? Segment { get; set; }

    /// <summary>Of a batch line.</summary>
    public List<ApplyOperation> Operations { get; private set; } = [];

    /// <summary>The raw JSON of the member that <c>--batch-by</c> names, as a part of the line; empty if it has none.</summary>
    public ReadOnlyMemory<byte> BatchKey { get; set; }

    /// <summary>Whether it changes one record, and may join a batch or run beside others.</summary>
    public bool IsSingle => Kind is ApplyKind.Set or ApplyKind.Delete;

    /// <summary>A set or delete as an operation.</summary>
    public ApplyOperation Operation => new(Number, Id, Kind == ApplyKind.Set ? Document : null);

    /// <summary>Forgets the line before.</summary>
    public void Reset(long number)
    {
        Number = number;
        Id = "";
        Document = default;
        Segment = null;
        BatchKey = default;
        // What was handed out belongs to who got it.
        if (Ids.Count > 0) Ids = [];
        if (Operations.Count > 0) Operations = [];
    }
}
