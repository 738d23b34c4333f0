namespace OpsLog.Engine;

/// <summary>The state at one moment: the index, the bytes it points into, and the log position it stands for.</summary>
internal sealed record StoreView(RecordTableView Records, Extent?[] Extents, long Clock, long LogPosition, long LogOperations)
{
    /// <summary>Takes a view of what is acknowledged; constant time.</summary>
    public static StoreView Of(StoreState state, Writer writer)
    {
        lock (state.Gate) return new StoreView(state.Records.View(), state.Extents.Current, state.Clock, writer.Acknowledged, writer.LogOperations);
    }

    /// <summary>Takes a view of a state that nobody writes to from here.</summary>
    public static StoreView Of(StoreState state)
    {
        lock (state.Gate) return new StoreView(state.Records.View(), state.Extents.Current, state.Clock, 0, 0);
    }
}
