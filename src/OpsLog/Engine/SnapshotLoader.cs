using System.Runtime.CompilerServices;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>What a loaded snapshot says of itself.</summary>
internal readonly record struct LoadedSnapshot(int SchemaVersion, long Floor, long Bytes, Extent? Extent);

/// <summary>Reads a snapshot of either layout and either writer into the index.</summary>
internal sealed class SnapshotLoader(IOpsStorage storage, StoreState state, Recovery recovery)
{
    private readonly List<Damage> _skipped = [];
    private readonly long _clock = state.Clock; // of the package's records, which have none

    /// <summary>Damage that was skipped.</summary>
    public IReadOnlyList<Damage> Skipped => _skipped;

    /// <summary>
    /// What to go by where a snapshot of ours in lines cannot be read in its first line: its records carry checksums of their own. Null: refuse.
    /// </summary>
    public SnapshotHeader? AssumedHeader { get; init; }

    /// <summary>How many bytes are read at once.</summary>
    public long Window { get; init; } = ObjectReader.DefaultWindow;

    /// <summary>Whether a window may overwrite the one before: only where nobody else reads the state yet. What was read stays where it is in any other case.</summary>
    public bool ReusesMemory { get; init; }

    /// <param name="name">The snapshot's name, as the manifest has it.</param>
    /// <param name="expected">What the manifest vouches for; null for the package's.</param>
    /// <param name="builderFor">Gives the builder once the schema version is known: it may refuse the store.</param>
    /// <param name="ct">Cancels loading.</param>
    public async ValueTask<LoadedSnapshot> LoadAsync(string name, SnapshotEntry? expected, Func<SnapshotHeader, StateBuilder> builderFor, CancellationToken ct)
    {
        if (!StorageKey.IsValid(name)) throw Damaged(name, DamageKind.CorruptObject, "the manifest names a snapshot that is no object name");
        var key = new StorageKey(name);
        var stat = await ObjectReader.StatAsync(storage, key, ct).ConfigureAwait(false)
            ?? throw Damaged(name, DamageKind.Missing, "the manifest names this snapshot, but it is not there");
        if (expected is not null && stat.Length != expected.Length)
            throw Damaged(name, DamageKind.CorruptObject, $"the snapshot has {stat.Length} bytes, {expected.Length} were written");
        return AssumedHeader is null && await IsJsonLayoutAsync(key, stat.Length, ct).ConfigureAwait(false)
            ? await LoadJsonAsync(key, expected, builderFor, ct).ConfigureAwait(false)
            : await LoadLinesAsync(key, expected, builderFor, ct).ConfigureAwait(false);
    }

    private async ValueTask<bool> IsJsonLayoutAsync(StorageKey key, long length, CancellationToken ct)
    {
        for (long window = 4096; ; window *= 16)
        {
            bool? isJson = null;
            await ObjectReader.ReadAsync(storage, key, 0, null, 0, part =>
            {
                isJson = SnapshotCodec.IsJsonLayout(part.Memory.Span, part.IsLast);
                return part.Memory.Length;
            }, Math.Min(window, length), ct, oneWindow: true).ConfigureAwait(false);
            if (isJson is { } known) return known;
            if (window >= length) return false;
        }
    }

    private async ValueTask<LoadedSnapshot> LoadJsonAsync(StorageKey key, SnapshotEntry? expected, Func<SnapshotHeader, StateBuilder> builderFor, CancellationToken ct)
    {
        var (bytes, _) = await ObjectReader.ReadAllAsync(storage, key, ct).ConfigureAwait(false) ?? throw Damaged(key.Value, DamageKind.Missing, "the snapshot is gone");
        if (expected is not null && JsonLines.Checksum(bytes) != expected.Checksum)
            throw Damaged(key.Value, DamageKind.CorruptObject, "the snapshot's checksum does not hold");
        if (!JsonSnapshotReader.TryOpen(bytes, out var reader, out var fault)) throw Damaged(key.Value, DamageKind.CorruptObject, fault);
        var builder = builderFor(reader.Header);
        builder.SnapshotTombstones(reader.Header);
        var id = new byte[256];
        while (reader.Read(out var record))
        {
            if (id.Length < record.RawId.Length) id = new byte[record.RawId.Length];
            var length = record.CopyId(id);
            var source = record.LogIndex < 0 ? StampSource.SingleWriter : SourceOf(reader.Header.Logs[record.LogIndex]);
            var clock = reader.Header.Format is null ? _clock : record.Clock;
            lock (state.Gate) builder.ForeignRecord(id.AsSpan(0, length), record.Data, clock, source, reader.Header.SchemaVersion);
        }

        lock (state.Gate) builder.Flush();

        return new LoadedSnapshot(reader.Header.SchemaVersion, reader.Header.Floor, bytes.Length, null);
    }

    private async ValueTask<LoadedSnapshot> LoadLinesAsync(StorageKey key, SnapshotEntry? expected, Func<SnapshotHeader, StateBuilder> builderFor, CancellationToken ct)
    {
        Extent extent;
        lock (state.Gate) extent = state.Extents.Add(new Extent(key.Value, []) { Disk = state.Disk?.Open(key.Value), HoldsRecords = true });
        var lines = new Lines(this, key, extent, builderFor);
        await ObjectReader.ReadAsync(storage, key, 0, null, 0, part =>
        {
            lock (state.Gate) return lines.Take(part);
        }, state.Disk is null ? Window : Math.Min(Window, DiskDocuments.LoadWindow), ct, copiesMapped: true, reusesMemory: ReusesMemory && state.Disk is not null).ConfigureAwait(false);
        lines.Finish(expected);
        var header = lines.Header!;
        if (header.Format is null)
        {
            lock (state.Gate) state.Extents.Remove(extent); // the package's lines were brought into our form
        }

        return new LoadedSnapshot(header.SchemaVersion, header.Floor, lines.Bytes, header.Format is null ? null : extent);
    }

    private static StampSource SourceOf(LogName log) => StampSource.Of(log.Agent, log.Name);

    private static OpsLogException Damaged(string name, DamageKind kind, string detail) => LogScanner.Refused(new Damage(kind, name, 0, 0, 0, detail));

    private void Skip(Damage damage)
    {
        if (recovery != Recovery.SkipCorrupt) throw LogScanner.Refused(damage);
        _skipped.Add(damage);
    }

    private sealed class Lines(SnapshotLoader owner, StorageKey key, Extent extent, Func<SnapshotHeader, StateBuilder> builderFor)
    {
        private StateBuilder? _builder;
        private bool _isAssumed;
        private long _line;

        public SnapshotHeader? Header { get; private set; }

        public long Bytes { get; private set; }

        public long Records { get; private set; }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int Take(ObjectPart part)
        {
            var bytes = (part.Copy ?? part.Memory).Span;
            var start = part.Start + part.CopyStart;
            var position = 0;
            if (Header?.Format is not null && part.CopyStart == 0) Keep(part);
            while (position < bytes.Length)
            {
                var length = bytes[position..].IndexOf((byte)'\n');
                if (length < 0)
                {
                    if (!part.IsLast) break;
                    length = bytes.Length - position; // the package takes a last line without its newline; ours is caught by its count
                }

                _line++;
                Line(part, bytes.Slice(position, length), start + position);
                position = Math.Min(bytes.Length, position + length + 1);
            }

            _builder?.Flush();
            Bytes = start + position;
            if (!extent.Spill(Bytes) && part.IsReused && Header?.Format is not null && position > 0) extent.Add(part.Start, part.Memory[..position].ToArray());
            return position;
        }

        // Of what is overwritten only whole lines: all of them are left to the object then.
        private void Keep(in ObjectPart part)
        {
            var kept = part.IsReused && !part.IsLast ? part.Memory[..(part.Memory.Span.LastIndexOf((byte)'\n') + 1)] : part.Memory;
            if (kept.Length > 0) extent.Add(part.Start, kept, part.Owner);
        }

        public void Finish(SnapshotEntry? expected)
        {
            if (Header is null) throw Damaged(key.Value, DamageKind.CorruptObject, "the snapshot is empty");
            var distinct = _builder!.DistinctRecords(Records);
            if (Header.Count is { } count && (Records != count || distinct != count))
                owner.Skip(new Damage(DamageKind.CorruptObject, key.Value, 0, 0, Bytes, $"the snapshot has {Math.Min(Records, distinct)} records, {count} were written"));
            if (expected is not null && Header.Format is null)
                throw Damaged(key.Value, DamageKind.CorruptObject, "the snapshot's header is not the one that was written");
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Line(in ObjectPart part, ReadOnlySpan<byte> line, long offset)
        {
            if (Header is null)
            {
                if (!SnapshotCodec.TryReadHeader(line, out var header, out var fault))
                {
                    var damage = new Damage(DamageKind.CorruptLine, key.Value, 1, 0, line.Length, fault);
                    header = owner.AssumedHeader ?? throw LogScanner.Refused(damage);
                    owner.Skip(damage);
                    _isAssumed = true;
                }

                if (header!.Format > FormatVersion.Current)
                    throw new OpsLogException(OpsLogError.TooNew, $"The snapshot '{key}' has format {header.Format}; this program reads up to {FormatVersion.Current}. Update the program.");
                Header = header;
                _builder = builderFor(header);
                extent.Sources = [.. header.Logs.Select(SourceOf)];
                _builder.SnapshotTombstones(header);
                if (header.Format is null) return;
                Keep(part);
                owner.Presize(header.Count);
                return;
            }

            var ours = Header.Format is not null;
            var verdict = SnapshotCodec.TryReadRecord(line, ours, out var record, out var problem);
            if (verdict == LineVerdict.Empty) return;
            if (verdict == LineVerdict.Operation && ours && !_isAssumed && (record.LogIndex < 0 || record.LogIndex >= Header.Logs.Count))
                (verdict, problem) = (LineVerdict.Corrupt, "the record's log is not in the header's table");
            if (verdict != LineVerdict.Operation)
            {
                owner.Skip(new Damage(DamageKind.CorruptLine, key.Value, _line, offset, line.Length, problem));
                return;
            }

            Records++;
            if (_isAssumed) _builder!.ForeignRecord(record, record.Clock, Header.SchemaVersion); // whose log it was stood in the header
            else if (ours) _builder!.SnapshotRecord(extent, record, line, offset, Header.SchemaVersion);
            else _builder!.ForeignRecord(record, owner._clock, Header.SchemaVersion);
        }
    }

    private void Presize(long? count)
    {
        if (count is > 0 and < int.MaxValue) state.Records.Presize((int)count);
    }
}
