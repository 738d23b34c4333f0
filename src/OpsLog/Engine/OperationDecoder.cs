using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>Turns a line of the feed into an operation of the store's document type.</summary>
internal static class OperationDecoder
{
    public static Operation<T> Decode<T>(RawOperation raw, DocumentCodec<T> documents, Migration migration)
    {
        OperationCodec.TryRead(raw.Line, UndoLog.NoOffset, raw.IsFirst, out var line, out _);
        var id = line.Id();
        var previous = UndoLog.Previous(line);
        return new Operation<T>
        {
            Time = IsoTime.Read(line.Timestamp),
            Kind = line.Kind,
            Id = id,
            Value = line.Kind == OperationKind.Set ? documents.Decode(id, migration.Apply(line.Data, raw.Log.Schema)) : default,
            HasPrevious = previous is not null,
            Previous = previous is null ? default : documents.Decode(id, migration.Apply(previous, raw.Log.Schema)),
            Revision = Revision(raw, line),
            Mark = (OperationMark)line.Mark,
            Marked = line.Mark == UndoMark.None ? OpsLog.Revision.None : Revision(line.MarkOf()),
            IsMarkOnly = line.Noop,
            BatchIndex = line.BatchIndex,
            BatchSize = line.BatchSize,
            ArchivedTo = line.Segment(),
            Position = raw.Position,
        };
    }

    private static Revision Revision(RawOperation raw, in OperationLine line)
    {
        var agent = line.Agent();
        return agent.Length > 0 && raw.Log.Source.Agent.Length == 0
            ? new Revision(raw.Clock, agent, raw.Log.Key.Value)
            : new Revision(raw.Clock, raw.Log.Source.Agent, raw.Log.Source.Log);
    }

    private static Revision Revision(Stamp stamp) => new(stamp.Clock, stamp.Agent, stamp.Log);
}
