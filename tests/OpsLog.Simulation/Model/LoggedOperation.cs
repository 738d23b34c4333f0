using System.Text;

namespace OpsLog.Simulation.Model;

/// <summary>An operation as a stored line says it. Only a power loss changes it: copies of a simulator, of which none is copied behind one, share it.</summary>
internal sealed class LoggedOperation
{
    public required SimStamp Stamp { get; init; }

    public required string Id { get; init; }

    public required bool IsSet { get; init; }

    /// <summary>The document of a set, as it stands in the line.</summary>
    public ReadOnlyMemory<byte> Data { get; init; }

    public bool HasPrevious { get; init; }

    public int BatchIndex { get; init; }

    public int BatchSize { get; init; } = 1;

    /// <summary>The operation that this one undoes or redoes, and the one it restores (null: none).</summary>
    public SimStamp? Undoes { get; init; }

    public SimStamp? Redoes { get; init; }

    public SimStamp? Restores { get; init; }

    public bool IsNoop { get; init; }

    public string? Segment { get; init; }

    public SimStamp? Moved { get; init; }

    /// <summary>Whether it sets a record on its own account: not to undo, redo or archive anything.</summary>
    public bool IsPlainSet => IsSet && Undoes is null && Redoes is null && Moved is null;

    public Rank Rank => Moved is { } moved ? new Rank(moved, 1) : new Rank(Stamp, 0);

    /// <summary>A power loss has taken its line, but a snapshot has it.</summary>
    public bool IsInSnapshotOnly { get; set; }

    /// <summary>A power loss has taken it.</summary>
    public bool IsLost { get; set; }

    public bool SaysTheSame(LoggedOperation other) =>
        Id == other.Id && IsSet == other.IsSet && IsNoop == other.IsNoop && Data.Span.SequenceEqual(other.Data.Span) && Moved == other.Moved && Undoes == other.Undoes && Redoes == other.Redoes;

    public override string ToString()
    {
        var mark = Undoes is { } u ? $" undoes {u}{(Restores is { } to ? $" to {to}" : "")}" : Redoes is { } r ? $" redoes {r}" : "";
        var moved = Moved is { } m ? $" moved {m} to {Segment}" : "";
        var batch = BatchSize > 1 ? $" [{BatchIndex}/{BatchSize}]" : "";
        return $"{Stamp} {(IsSet ? $"set {Id} {Encoding.UTF8.GetString(Data.Span)}" : $"delete {Id}")}{batch}{mark}{moved}{(IsNoop ? " noop" : "")}";
    }
}
