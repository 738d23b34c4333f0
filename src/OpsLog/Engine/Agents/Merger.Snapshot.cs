using OpsLog.Format;

namespace OpsLog.Engine.Agents;

/// <content>Merging the snapshot, where logs cannot be read to their end any more or would keep too much in memory.</content>
internal sealed partial class Merger
{
    private const int MergeWindow = 4 << 20; // the gate is held for one at a time
    private const int FewExtents = 4096;

    /// <summary>A snapshot covers a log of this process's further than it was read on since it was given up: what is known here is less than that snapshot. Under the gate.</summary>
    public bool IsBehind => !string.Equals(_merged, Entered.Snapshot.Name, StringComparison.Ordinal) && _logs.Values.Any(l => l.IsAbandoned && l.Position(_numbered) < l.Entry.Covered);

    // Whether the snapshot holds what was not read here, of a log that goes on: an object that is gone, a damaged line that was skipped, what a power loss has cut though others had read it,
    // or a write of this process's own that waits for its answer, which would be taken for forgotten then.
    private bool LacksCovered(Manifest manifest)
    {
        if (string.Equals(_merged, manifest.Snapshot.Name, StringComparison.Ordinal)) return false;
        using var gate = State.Gate.EnterScope();
        return _logs.Values.Any(l => l.HasSkipped || l.Position(_numbered) < l.Entry.Covered);
    }

    private async ValueTask<int> MergeAndEnterAsync(Manifest manifest, CancellationToken ct)
    {
        var records = await MergeSnapshotAsync(manifest, ct).ConfigureAwait(false);
        Enter(manifest, manifest.Snapshot);
        return records;
    }

    // The bytes of logs left behind stay until all records of theirs lie in the snapshot.
    private bool HoldsTooMuch(Manifest manifest)
    {
        if (string.Equals(_snapshot, manifest.Snapshot.Name, StringComparison.Ordinal)) return false;
        using var gate = State.Gate.EnterScope();
        return State.Extents.HoldTooMuch(manifest.Snapshot.Length + _logs.Values.Sum(l => l.Extent.Bytes), Math.Max(FewExtents, 2 * _logs.Count));
    }

    private async ValueTask<int> MergeSnapshotAsync(Manifest manifest, CancellationToken ct)
    {
        var merge = new SnapshotMerge();
        var loader = new SnapshotLoader(_storage, State, _settings.Recovery) { Window = MergeWindow };
        var builder = _builder;
        lock (State.Gate) State.Clock = Math.Max(State.Clock, manifest.Snapshot.Clock); // before any of it is seen: who writes with it in view writes above it
        var loaded = await loader.LoadAsync(manifest.Snapshot.Name, manifest.Snapshot, header =>
        {
            if (header.SchemaVersion > _migration.Target)
                throw new OpsLogException(OpsLogError.TooNew, $"The store has schema version {header.SchemaVersion} now, this program knows {_migration.Target}. Open it with a program that knows {header.SchemaVersion}.");
            return builder = new StateBuilder(State, _migration, merges: true) { Merge = merge };
        }, ct).ConfigureAwait(false);
        _notes.Add(loader.Skipped);
        lock (State.Gate)
        {
            merge.Forget(State, loader.Skipped.Count == 0 ? loaded.Floor : -1); // what stood on a damaged line must not be taken for forgotten
            _merged = manifest.Snapshot.Name;
            _builder = new StateBuilder(State, _migration, merges: true); // what the last one brought into our own form lies in the snapshot, but for what is newer
            DropExtents();
        }

        return (int)Math.Min(int.MaxValue, builder.SnapshotRecords);
    }

    // Under the gate. What no record lies in, and no log is read into, can go; views keep what they need.
    private void DropExtents()
    {
        var extents = State.Extents.Current;
        var used = new bool[extents.Length];
        foreach (var log in _logs.Values) used[log.Extent.Index] = true;
        _written.RemoveAll(l => !l.IsWritten);
        foreach (var log in _written) used[log.Extent.Index] = true;
        foreach (var entry in State.Records.WithTombstones()) used[entry.Location.Extent] = true;
        for (var i = 0; i < extents.Length; i++)
            if (extents[i] is { } extent && !used[i]) State.Extents.Remove(extent);
    }
}
