using System.Buffers;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// Undo and redo of a single writer: walks its log back to the newest unit that still stands, and appends the inverse. Nothing is kept for
/// it in memory; consecutive undos go on where the last one stopped. All members are called with the writer held exclusively.
/// </summary>
internal sealed class UndoLog(Func<int, ValueTask<UndoUnits?>> openLog, Migration migration)
{
    /// <summary>For lines that were checked when they were read into memory: their checksum's seed does not matter any more.</summary>
    public const long NoOffset = -1;

    private Cursor? _cursor;

    /// <summary>A write that is no undo came in, or the writer went on in another log: the next undo starts at the end of the log again.</summary>
    public void Forget() => _cursor = null;

    /// <summary>The inverse of the newest unit that stands; null if there is none as far as history is retained.</summary>
    public async ValueTask<TakenBack?> NextUndoAsync()
    {
        var cursor = _cursor ?? new Cursor(openLog);
        _cursor = null;
        while (await cursor.NextAsync().ConfigureAwait(false) is { } unit)
        {
            var first = cursor.Read(unit[0]);
            if (first.Mark != UndoMark.None) Note(cursor, unit);
            if (first.Mark != UndoMark.None || cursor.Marks.IsUndone(StampOf(unit[0].Clock))) continue;
            return new TakenBack(Inverse(cursor, unit, UndoMark.Undo)) { Confirm = () => _cursor = cursor };
        }

        return null;
    }

    /// <summary>The inverse of the newest undo that still stands, if nothing else was written since; else null.</summary>
    public async ValueTask<TakenBack?> NextRedoAsync()
    {
        _cursor = null;
        var cursor = new Cursor(openLog);
        while (await cursor.NextAsync().ConfigureAwait(false) is { } unit)
        {
            var first = cursor.Read(unit[0]);
            if (first.Mark == UndoMark.None) return null;
            if (Note(cursor, unit) && first.Mark == UndoMark.Undo) return new TakenBack(Inverse(cursor, unit, UndoMark.Redo));
        }

        return null;
    }

    // Whether one of the unit's marks is the newest on its operation so far: a unit's order turns round with each mark.
    private static bool Note(Cursor cursor, UnitOperation[] unit)
    {
        var isNewest = false;
        foreach (var operation in unit)
        {
            var line = cursor.Read(operation);
            isNewest |= cursor.Marks.Add(StampOf(line.MarkOf().Clock), operation.Clock, line.Mark);
        }

        return isNewest;
    }

    // In a single writer's logs the clock alone says which operation it is.
    private static Stamp StampOf(long clock) => new(clock, "", "");

    // What takes a unit back: its operations in reverse, each to the value before it.
    private List<BatchItem> Inverse(Cursor cursor, UnitOperation[] unit, UndoMark mark)
    {
        var items = new List<BatchItem>(unit.Length);
        for (var i = unit.Length - 1; i >= 0; i--)
        {
            var line = cursor.Read(unit[i]);
            var of = mark == UndoMark.Undo ? StampOf(unit[i].Clock) : line.MarkOf();
            var previous = Previous(line);
            if (previous is not null) migration.RequireFor(cursor.Schema, "This undo or redo");
            if (previous is not null && migration.Applies(cursor.Schema)) previous = migration.Apply(previous, cursor.Schema).ToArray();
            items.Add(new BatchItem(line.Id(), previous, new BatchOrigin(mark, of)));
        }

        return items;
    }

    /// <summary>The value before an operation, delta resolved; null if there was none.</summary>
    public static byte[]? Previous(in OperationLine line)
    {
        var restored = new ArrayBufferWriter<byte>(Math.Max(1, line.Line.Length));
        return TryWritePrevious(line, restored) ? restored.WrittenSpan.ToArray() : null;
    }

    /// <summary>Writes the value before an operation, delta resolved; false if there was none, as for a delete that only marks.</summary>
    public static bool TryWritePrevious(in OperationLine line, IBufferWriter<byte> value)
    {
        var previous = line.Line[line.PrevStart..line.PrevEnd];
        if (line.PrevIsDelta)
        {
            if (!ReversePatch.TryApply(line.Line[line.DataStart..line.DataEnd], previous, value))
                throw new OpsLogException(OpsLogError.Damaged, $"The value before an operation on '{line.Id()}' cannot be restored: its delta does not fit.");
            return true;
        }

        if (line.Kind == OperationKind.Delete ? line.Noop : previous.SequenceEqual("null"u8)) return false;
        value.Write(previous);
        return true;
    }

    private sealed class Cursor(Func<int, ValueTask<UndoUnits?>> openLog)
    {
        private int _logsBack;
        private UndoUnits? _units;

        public NewestMarks Marks { get; } = new();

        public int Schema => _units!.Schema;

        public OperationLine Read(UnitOperation operation)
        {
            var line = _units!.Extent.LineFrom(operation.Offset);
            if (OperationCodec.TryRead(line, NoOffset, operation.Offset == 0, out var read, out var fault) is LineVerdict.Operation or LineVerdict.Doubtful) return read;
            throw new OpsLogException(OpsLogError.Damaged, $"A line of '{_units.Extent.Name}' at offset {operation.Offset} cannot be read: {fault}");
        }

        public async ValueTask<UnitOperation[]?> NextAsync()
        {
            while (true)
            {
                _units ??= await openLog(_logsBack).ConfigureAwait(false);
                if (_units is null) return null;
                if (_units.Previous() is { } unit) return unit;
                _units = null;
                _logsBack++;
            }
        }
    }
}

/// <summary>What takes a unit back, or brings it back: to be written.</summary>
internal sealed record TakenBack(List<BatchItem> Items)
{
    /// <summary>It is written: the next undo goes on behind it. Null: a redo starts anew each time.</summary>
    public Action? Confirm { get; init; }
}
