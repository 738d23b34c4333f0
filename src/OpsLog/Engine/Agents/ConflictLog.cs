using OpsLog.Format;

namespace OpsLog.Engine.Agents;

/// <summary>A write on a record, as far as conflicts need it.</summary>
/// <param name="Stamp">Its stamp.</param>
/// <param name="Value">The value it left, by <see cref="ConflictLog.HashOf"/>; <see cref="ConflictLog.Nothing"/>: it deleted.</param>
/// <param name="Previous">The value it was made on top of; null: not known.</param>
/// <param name="IsMark">An undo, a redo, or a delete that moved a value to an archive, whose stamp it has: none is a conflict.</param>
/// <param name="Below">What may lie between it and the next smaller one that is remembered.</param>
internal readonly record struct MergedWrite(Stamp Stamp, ulong Value, ulong? Previous, bool IsMark, WritesBelow Below = WritesBelow.None);

/// <summary>Writes below another that are not remembered.</summary>
internal enum WritesBelow
{
    None,

    /// <summary>Of an own or loaded write: others like it, none of which had seen what is merged later.</summary>
    Own,

    /// <summary>Any, which it may have seen.</summary>
    Forgotten,
}

/// <summary>
/// Writes that were overwritten by an author who had not seen them, found out while operations are merged. Of all writes on a record an author who wrote saw the next smaller one, by
/// stamp, if that is its previous value. Logs are read one after the other, so what lies between two writes may come after both: the writes that came last are remembered in
/// the order of their stamps, and what was said of two neighbours is taken back when another one comes between them. The newest few thousand. Under the state's gate.
/// </summary>
internal sealed class ConflictLog
{
    /// <summary>The value of a deleted record.</summary>
    public const ulong Nothing = 0;

    private const int Most = 4096;
    private const int MostOfOneRecord = 32;
    private static readonly RecordHash s_hash = new(0);
    private readonly Dictionary<(ulong, ulong), List<MergedWrite>> _writes = [];
    private readonly Queue<(ulong, ulong)> _newest = new();
    private readonly Dictionary<Stamp, Stamp> _overwrittenBy = [];
    private readonly Dictionary<Stamp, Stamp> _overwrote = [];
    private readonly Queue<Stamp> _losers = new();

    public static ulong HashOf(ReadOnlySpan<byte> document) => s_hash.OfBytes(document) | 1;

    /// <summary>Whether that is the newest write on the record that is remembered.</summary>
    public bool Knows(in RecordKey key, Stamp stamp, bool isDeleted) =>
        _writes.TryGetValue((key.Id0, key.Id1), out var writes) && writes[^1].Stamp == stamp && (writes[^1].Value == Nothing) == isDeleted;

    /// <summary>Takes the write that shows and was not merged: this process's own, or one that was loaded.</summary>
    public void Know(in RecordKey key, MergedWrite write)
    {
        var id = (key.Id0, key.Id1);
        var writes = WritesOn(id);
        writes.Add(write with { Below = WritesBelow.Own });
        Remember(id, writes);
    }

    /// <summary>Takes a write that is merged.</summary>
    public void Add(in RecordKey key, MergedWrite write)
    {
        var id = (key.Id0, key.Id1);
        var writes = WritesOn(id);
        var at = writes.Count;
        while (at > 0 && IsBelow(write, writes[at - 1])) at--;
        if (at > 0 && writes[at - 1].Stamp == write.Stamp && writes[at - 1].Value == write.Value) return; // it was read before
        var upper = at < writes.Count ? writes[at] : default(MergedWrite?);
        if (upper is { Below: not WritesBelow.None }) write = write with { Below = WritesBelow.Forgotten };
        writes.Insert(at, write);
        if (at > 0 && upper is not null) TakeBack(writes[at - 1].Stamp, upper.Value.Stamp);
        if (at > 0 && write.Below == WritesBelow.None) Judge(writes[at - 1], write);
        if (upper is { Below: not WritesBelow.Forgotten }) Judge(write, upper.Value);
        Remember(id, writes);
    }

    /// <summary>The record is not there any more, nor that it was deleted: what was written before is nobody's neighbour.</summary>
    public void Forget(in RecordKey key) => _writes.Remove((key.Id0, key.Id1));

    /// <summary>The write that won over this one, and the one that it won over.</summary>
    public (Revision OverwrittenBy, Revision Overwrote) Of(Revision revision)
    {
        var stamp = new Stamp(revision.Clock, revision.Agent, revision.Log);
        return (_overwrittenBy.TryGetValue(stamp, out var winner) ? ToRevision(winner) : default, _overwrote.TryGetValue(stamp, out var loser) ? ToRevision(loser) : default);
    }

    // A delete that moved a value to an archive has that value's stamp, and ranks just above it.
    private static bool IsBelow(in MergedWrite write, in MergedWrite other) =>
        write.Stamp == other.Stamp ? write.Value != Nothing && other.Value == Nothing : write.Stamp < other.Stamp;

    private void Judge(in MergedWrite lower, in MergedWrite upper)
    {
        if (string.Equals(lower.Stamp.Log, upper.Stamp.Log, StringComparison.Ordinal) || lower.IsMark || upper.IsMark) return;
        if (upper.Previous is not { } previous || previous == lower.Value || !_overwrittenBy.TryAdd(lower.Stamp, upper.Stamp)) return;
        _overwrote[upper.Stamp] = lower.Stamp;
        _losers.Enqueue(lower.Stamp);
        if (_losers.Count > Most && _losers.TryDequeue(out var oldest) && _overwrittenBy.TryGetValue(oldest, out var winner)) TakeBack(oldest, winner);
    }

    private void TakeBack(Stamp loser, Stamp winner)
    {
        if (!_overwrittenBy.TryGetValue(loser, out var by) || by != winner) return;
        _overwrittenBy.Remove(loser);
        if (_overwrote.TryGetValue(winner, out var over) && over == loser) _overwrote.Remove(winner);
    }

    private List<MergedWrite> WritesOn((ulong, ulong) id)
    {
        if (!_writes.TryGetValue(id, out var writes)) _writes.Add(id, writes = []);
        return writes;
    }

    private void Remember((ulong, ulong) id, List<MergedWrite> writes)
    {
        if (writes.Count > MostOfOneRecord) ForgetLowest(writes);
        _newest.Enqueue(id);
        if (_newest.Count <= Most) return;
        var oldest = _newest.Dequeue();
        if (!_writes.TryGetValue(oldest, out var old)) return;
        if (old.Count > 1) ForgetLowest(old);
        else _writes.Remove(oldest);
    }

    private static void ForgetLowest(List<MergedWrite> writes)
    {
        writes.RemoveAt(0);
        writes[0] = writes[0] with { Below = WritesBelow.Forgotten };
    }

    private static Revision ToRevision(Stamp stamp) => new(stamp.Clock, stamp.Agent, stamp.Log);
}
