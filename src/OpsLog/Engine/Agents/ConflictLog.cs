using System.Buffers;
using System.Runtime.InteropServices;
using OpsLog.Format;

namespace OpsLog.Engine.Agents;

/// <summary>A write on a record, as far as conflicts need it: its bytes are looked at when it is judged, if they are still held by then.</summary>
/// <param name="Stamp">Its stamp.</param>
/// <param name="Location">Where it lies.</param>
/// <param name="Extent">The serial number of the extent it lies in.</param>
/// <param name="IsMark">An undo, a redo, or a delete that moved a value to an archive, whose stamp it has: none is a conflict. Of a write that was not merged its line says it.</param>
/// <param name="Below">What may lie between it and the next smaller one that is remembered.</param>
internal readonly record struct MergedWrite(Stamp Stamp, RecordLocation Location, long Extent, bool IsMark = false, WritesBelow Below = WritesBelow.None)
{
    public bool IsDelete => Location.IsTombstone;
}

/// <summary>Writes below another that are not remembered.</summary>
internal enum WritesBelow
{
    None,

    /// <summary>Of an own write: others of this process, none of which had seen what is merged later.</summary>
    Own,

    /// <summary>Any, which it may have seen.</summary>
    Forgotten,
}

/// <summary>
/// Writes that were overwritten by an author who had not seen them, found out while operations are merged. Of all writes on a record an author who wrote saw the next smaller one, by
/// stamp, if that is its previous value. Logs are read one after the other, so what lies between two writes may come after both: the writes that came last are remembered in
/// the order of their stamps, and what was said of two neighbours is taken back when another one comes between them. The newest few thousand. Under the state's gate.
/// </summary>
/// <param name="extents">Where writes lie.</param>
/// <param name="agent">This process's; null: it writes nothing.</param>
internal sealed class ConflictLog(ExtentTable extents, string? agent)
{
    private const int Most = 4096;
    private const int MostOfOneRecord = 32;
    private readonly Dictionary<(ulong, ulong), List<MergedWrite>> _writes = [];
    private readonly Queue<(ulong, ulong)> _newest = new();
    private readonly Dictionary<Stamp, Stamp> _overwrittenBy = [];
    private readonly Dictionary<Stamp, Stamp> _overwrote = [];
    private readonly Queue<Stamp> _losers = new();
    private readonly ArrayBufferWriter<byte> _previous = new();

    /// <summary>Takes a write that is merged, and before it the one that shows, if that was not merged: this process's own, or one that was loaded.</summary>
    /// <param name="key">The record.</param>
    /// <param name="shown">The write that shows; null: none does.</param>
    /// <param name="write">The merged one.</param>
    /// <param name="line">Its line.</param>
    public void Add(in RecordKey key, MergedWrite? shown, MergedWrite write, in OperationLine line)
    {
        while (_newest.Count > Most - 2) ForgetOldest();
        var id = (key.Id0, key.Id1);
        ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(_writes, id, out _);
        var writes = place ??= [];
        if (shown is not { } known) writes.Clear(); // nor that it was deleted: what was written before is nobody's neighbour
        else if (writes.Count == 0 || writes[^1].Stamp != known.Stamp || writes[^1].IsDelete != known.IsDelete) Remember(id, writes, writes.Count, known with { Below = known.Stamp.Agent == agent ? WritesBelow.Own : WritesBelow.Forgotten });
        else if (ExtentOf(writes[^1]) is null) writes[^1] = writes[^1] with { Location = known.Location, Extent = known.Extent }; // it has moved to a snapshot
        write = write with { IsMark = IsMark(line) };
        var at = writes.Count;
        while (at > 0 && IsBelow(write, writes[at - 1])) at--;
        if (at > 0 && writes[at - 1].Stamp == write.Stamp && writes[at - 1].IsDelete == write.IsDelete) return; // it was read before
        var upper = at < writes.Count ? writes[at] : default(MergedWrite?);
        if (upper is { Below: not WritesBelow.None }) write = write with { Below = WritesBelow.Forgotten };
        if (at > 0 && upper is not null) TakeBack(writes[at - 1].Stamp, upper.Value.Stamp);
        try
        {
            if (at > 0 && write.Below == WritesBelow.None && IsUnseen(writes[at - 1], write, line)) Note(writes[at - 1].Stamp, write.Stamp);
            if (upper is { Below: not WritesBelow.Forgotten } over && TryLine(over, out var overLine) && IsUnseen(write, over, overLine)) Note(write.Stamp, over.Stamp);
        }
        catch (OpsLogException)
        {
            // Bytes of a neighbour cannot be read: who reads its record is told. A conflict that cannot be told is not worth failing a refresh for.
        }

        Remember(id, writes, at, write);
    }

    /// <summary>The write that won over this one, and the one that it won over.</summary>
    public (Revision OverwrittenBy, Revision Overwrote) Of(Revision revision)
    {
        var stamp = new Stamp(revision.Clock, revision.Agent, revision.Log);
        return (_overwrittenBy.TryGetValue(stamp, out var winner) ? ToRevision(winner) : default, _overwrote.TryGetValue(stamp, out var loser) ? ToRevision(loser) : default);
    }

    // A delete that moved a value to an archive has that value's stamp, and ranks just above it.
    private static bool IsBelow(in MergedWrite write, in MergedWrite other) =>
        write.Stamp == other.Stamp ? !write.IsDelete && other.IsDelete : write.Stamp < other.Stamp;

    // Whether who made a write, whose line that is, had not seen the one below it. What cannot be told is no conflict.
    private bool IsUnseen(in MergedWrite lower, in MergedWrite upper, in OperationLine line)
    {
        if (string.Equals(lower.Stamp.Log, upper.Stamp.Log, StringComparison.Ordinal) || lower.IsMark || IsMark(line)) return false;
        if (!TryValue(lower, out var value)) return false;
        var seen = line.Prev;
        if (line.PrevIsDelta)
        {
            _previous.ResetWrittenCount();
            if (!ReversePatch.TryApply(line.Data, seen, _previous)) return false;
            seen = _previous.WrittenSpan;
        }

        var sawNothing = !line.PrevIsDelta && line.Kind == OperationKind.Set && !line.HasPrev;
        if (sawNothing || lower.IsDelete) return sawNothing != lower.IsDelete;
        return !value.SequenceEqual(seen);
    }

    // What a write left, if its bytes are still held and it is no mark.
    private bool TryValue(in MergedWrite write, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (TryLine(write, out var line))
        {
            value = line.Data;
            return !IsMark(line);
        }

        if (ExtentOf(write) is not { } extent) return false;
        value = StoredRecord.Parse(extent, extent.LineFrom(write.Location.Offset)).Document;
        return true;
    }

    // An undo, a redo, or a delete that moved a value to an archive.
    private static bool IsMark(in OperationLine line) => line.Mark != UndoMark.None || line.Moved() is not null;

    // The line of a write, if it lies in a log of ours that is still held.
    private bool TryLine(in MergedWrite write, out OperationLine line)
    {
        line = default;
        return ExtentOf(write) is { } extent
            && extent.TryLineAround(write.Location.Offset, out var bytes)
            && OperationCodec.TryRead(bytes, UndoLog.NoOffset, false, out line, out _) == LineVerdict.Operation;
    }

    private Extent? ExtentOf(in MergedWrite write) => extents.Current[write.Location.Extent] is { } extent && extent.Serial == write.Extent ? extent : null;

    private void Note(Stamp loser, Stamp winner)
    {
        if (!_overwrittenBy.TryAdd(loser, winner)) return;
        _overwrote[winner] = loser;
        _losers.Enqueue(loser);
        if (_losers.Count > Most && _losers.TryDequeue(out var oldest) && _overwrittenBy.TryGetValue(oldest, out var over)) TakeBack(oldest, over);
    }

    private void TakeBack(Stamp loser, Stamp winner)
    {
        if (!_overwrittenBy.TryGetValue(loser, out var by) || by != winner) return;
        _overwrittenBy.Remove(loser);
        if (_overwrote.TryGetValue(winner, out var over) && over == loser) _overwrote.Remove(winner);
    }

    private void Remember((ulong, ulong) id, List<MergedWrite> writes, int at, MergedWrite write)
    {
        writes.Insert(at, write);
        if (writes.Count > MostOfOneRecord) ForgetLowest(writes);
        _newest.Enqueue(id);
    }

    private void ForgetOldest()
    {
        var id = _newest.Dequeue();
        if (!_writes.TryGetValue(id, out var writes)) return;
        if (writes.Count > 1) ForgetLowest(writes);
        else _writes.Remove(id);
    }

    private static void ForgetLowest(List<MergedWrite> writes)
    {
        writes.RemoveAt(0);
        writes[0] = writes[0] with { Below = WritesBelow.Forgotten };
    }

    private static Revision ToRevision(Stamp stamp) => new(stamp.Clock, stamp.Agent, stamp.Log);
}
