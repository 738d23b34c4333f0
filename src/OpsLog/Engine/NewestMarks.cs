using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>The newest undo or redo of each operation.</summary>
internal sealed class NewestMarks
{
    private readonly Dictionary<Stamp, (long Clock, UndoMark Mark)> _marks = [];

    public bool IsUndone(Stamp stamp) => _marks.TryGetValue(stamp, out var mark) && mark.Mark == UndoMark.Undo;

    /// <summary>Notes a mark; whether it is the newest on its operation so far.</summary>
    public bool Add(Stamp of, long clock, UndoMark mark)
    {
        if (_marks.TryGetValue(of, out var known) && known.Clock >= clock) return false;
        _marks[of] = (clock, mark);
        return true;
    }
}
