using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Writes the copy of a store to an empty storage. Objects are copied byte for byte; between a storage that appends and one that makes
/// numbered pieces, logs are brought into the other form, and their lines' checksums to their new places.
/// </summary>
/// <param name="source">The store.</param>
/// <param name="target">Where the copy goes.</param>
/// <param name="progress">Told how far it has got.</param>
/// <param name="leftovers">What an earlier attempt may have left in the target: kept where it is what would be written, else written anew.</param>
internal sealed class BackupWriter(IOpsStorage source, IOpsStorage target, ProgressMeter progress, HashSet<StorageKey> leftovers)
{
    private const int CompareBytes = 256 << 10;

    private readonly List<StorageKey> _written = [];
    private readonly bool _fromPieces = (source.Capabilities & StorageCapabilities.Append) == 0;
    private readonly bool _toPieces = (target.Capabilities & StorageCapabilities.Append) == 0;

    /// <summary>Writes everything but the manifest.</summary>
    /// <returns>The manifest's bytes, for <see cref="WriteManifestAsync"/>.</returns>
    /// <exception cref="OpsLogException">An object is missing or not what the manifest says (<see cref="OpsLogError.Damaged"/>).</exception>
    /// <exception cref="ArgumentException">The store is the package's, and the target takes logs in another form.</exception>
    public async ValueTask<byte[]> WriteAsync(BackupContents contents, Func<Manifest, Manifest> change, CancellationToken ct)
    {
        var (read, plan) = (contents.Read, contents.Plan);
        if (_fromPieces != _toPieces && read.Verdict != ManifestVerdict.Ours)
            throw new ArgumentException("The npm package's store cannot be copied between a storage that appends and one that does not. Open it for writing once, or choose a storage of the same kind.");
        if (_fromPieces != _toPieces && plan.IsMany && plan.Logs.Any(l => l.Entry.Covered > 0))
            throw new OpsLogException(OpsLogError.Conflict, "Logs of agents that a snapshot covers in part cannot be copied between a storage that appends and one that does not. Open the store without an agent id once, or choose a storage of the same kind.");
        var history = await HistoryAsync(plan.Base, ct).ConfigureAwait(false);
        RequireOwn(contents, history);
        progress.Begin("snapshot", plan.Base.Snapshot.Length);
        var entry = plan.SnapshotIsVouched ? plan.Base.Snapshot : null;
        await CopyAsync(Key(plan.Snapshot), entry?.Length, entry?.Checksum, ct).ConfigureAwait(false);
        progress.Begin("log", contents.Logs.Sum(l => l.Extent.Length));
        foreach (var (key, extent) in contents.Logs) await CopyLogAsync(key, extent, ct).ConfigureAwait(false);
        await CopyHistoryAsync(plan.Base, history, ct).ConfigureAwait(false);
        progress.Begin("archives", 0);
        foreach (var part in plan.Base.Archives.SelectMany(a => a.Objects)) await CopyAsync(Key(part.Name), null, null, ct).ConfigureAwait(false);
        progress.End();
        return read.Manifest is { } ours
            ? ManifestCodec.Write(change(ours with { Numbered = _toPieces, Exclusive = null, Garbage = [], Reserved = [] }), read.Package)
            : contents.Raw;
    }

    /// <summary>Makes a store of what was written.</summary>
    public ValueTask WriteManifestAsync(byte[] bytes, CancellationToken ct) => PutAsync(StoreKeys.Manifest, new MemoryStream(bytes), ct);

    /// <summary>Deletes what was written: another attempt follows.</summary>
    public async ValueTask UndoAsync(CancellationToken ct)
    {
        foreach (var key in _written) await target.DeleteAsync(key, ct).ConfigureAwait(false);
        _written.Clear();
    }

    private static StorageKey Key(string name) => StorageKey.IsValid(name) && name.Length > 0
        ? new StorageKey(name)
        : throw LogScanner.Refused(new Damage(DamageKind.CorruptObject, name, 0, 0, 0, "the manifest names an object whose name is none"));

    private static OpsLogException Damaged(StorageKey key, DamageKind kind, long length, string detail) => LogScanner.Refused(new Damage(kind, key.Value, 0, 0, length, detail));

    // Nothing of anybody else's is touched, and no store is put among another's remains.
    private void RequireOwn(BackupContents contents, IReadOnlyList<HistoryLog> history)
    {
        if (leftovers.Count == 0) return;
        var manifest = contents.Plan.Base;
        var own = new HashSet<StorageKey> { Key(contents.Plan.Snapshot) };
        own.UnionWith(contents.Logs.Select(l => l.Key));
        own.UnionWith(history.Select(l => Key(l.Name)));
        own.UnionWith(manifest.Archives.SelectMany(a => a.Objects).Select(o => Key(o.Name)));
        if (manifest.History is { } reference) own.Add(Key(reference.Name));
        foreach (var key in leftovers)
        {
            if (own.Contains(key) || (StoreKeys.TryParse(key, out var name) && own.Contains(name.LogKey))) continue;
            throw new OpsLogException(OpsLogError.Conflict, $"The target is not empty: it holds '{key}', which is no part of this copy (or of an earlier state of the store). Empty it, or choose another.");
        }
    }

    private async ValueTask<IReadOnlyList<HistoryLog>> HistoryAsync(Manifest manifest, CancellationToken ct) => manifest.History is null
        ? []
        : await new HistoryKeeper(source, new EngineSettings(new OpsStoreOptions { ReadOnly = true })).ReadAsync(manifest, ct).ConfigureAwait(false);

    private async ValueTask CopyHistoryAsync(Manifest manifest, IReadOnlyList<HistoryLog> logs, CancellationToken ct)
    {
        if (manifest.History is not { } reference) return;
        progress.Begin("history", logs.Sum(l => l.Length));
        foreach (var log in logs) await CopyLogAsync(Key(log.Name), new LogExtent(log.Length, log.Pieces), ct).ConfigureAwait(false);
        var index = HistoryIndexCodec.Write([.. logs.Select(l => l with { Pieces = _fromPieces == _toPieces ? l.Pieces : _toPieces && l.Length > 0 ? 1 : 0 })]);
        await PutAsync(Key(reference.Name), new MemoryStream(index), ct).ConfigureAwait(false);
        progress.End();
    }

    private async ValueTask CopyLogAsync(StorageKey log, LogExtent extent, CancellationToken ct)
    {
        if (!_fromPieces && !_toPieces)
        {
            await CopyAsync(log, extent.Length, null, ct).ConfigureAwait(false);
            return;
        }

        await PutAsync(log, Stream.Null, ct).ConfigureAwait(false);
        if (!_fromPieces)
        {
            // All of it as one piece: every line stands where it stood.
            if (extent.Length > 0) await CopyAsync(log, StoreKeys.Piece(log, 1), extent.Length, null, ct).ConfigureAwait(false);
            return;
        }

        // A log kept for history may end within a piece: what follows there is in the next log as well.
        long position = 0;
        for (long number = 1; position < extent.Length; number++)
        {
            var piece = StoreKeys.Piece(log, number);
            position += _toPieces ? await CopyAsync(piece, null, null, ct).ConfigureAwait(false) : await AppendPieceAsync(log, piece, position, ct).ConfigureAwait(false);
        }

        if (!_toPieces) await target.ReleaseAsync(log, ct).ConfigureAwait(false);
        if (position < extent.Length) throw Damaged(log, DamageKind.CorruptObject, position, $"the pieces of the log have {position} bytes, {extent.Length} were written");
    }

    private async ValueTask<long> AppendPieceAsync(StorageKey log, StorageKey piece, long position, CancellationToken ct)
    {
        if (await ObjectReader.ReadAllAsync(source, piece, ct).ConfigureAwait(false) is not { } found)
            throw Damaged(piece, DamageKind.Missing, 0, "this piece of a log is not there");
        Reseal(piece, found.Bytes, position);
        var result = await target.AppendAsync(log, found.Bytes, position, Flush.Synced, ct).ConfigureAwait(false);
        if (!result.IsStored) throw Taken(log);
        progress.Add(found.Bytes.Length);
        return found.Bytes.Length;
    }

    // A line that does not hold must not be given a checksum that does.
    private static void Reseal(StorageKey piece, byte[] bytes, long position)
    {
        var number = 0L;
        for (var start = 0; start < bytes.Length;)
        {
            number++;
            var length = bytes.AsSpan(start).IndexOf((byte)'\n');
            if (length < 0) length = bytes.Length - start;
            var line = bytes.AsSpan(start, length);
            if (JsonLines.HasChecksumTail(line))
            {
                if (!JsonLines.ChecksumHolds(line, start)) throw LogScanner.Refused(new Damage(DamageKind.CorruptLine, piece.Value, number, start, length, "the checksum does not hold"));
                JsonLines.Reseal(line, position + start);
            }

            start += length + 1;
        }
    }

    private ValueTask<long> CopyAsync(StorageKey key, long? length, uint? checksum, CancellationToken ct) => CopyAsync(key, key, length, checksum, ct);

    private async ValueTask<long> CopyAsync(StorageKey from, StorageKey to, long? length, uint? checksum, CancellationToken ct)
    {
        if (leftovers.Contains(to) && await IsThereAsync(from, to, length, checksum, ct).ConfigureAwait(false) is { } already) return already;
        var found = await SourceAsync(from, length, ct).ConfigureAwait(false);
        await using (found.ConfigureAwait(false))
        {
            using var content = new MeteredStream(found.Content, progress);
            await PutAsync(to, content, ct).ConfigureAwait(false);
            Check(from, content, length, checksum);
            return content.Count;
        }
    }

    // How long the object is if an earlier attempt has written it whole; else null.
    private async ValueTask<long?> IsThereAsync(StorageKey from, StorageKey to, long? length, uint? checksum, CancellationToken ct)
    {
        var there = await target.ReadAsync(to, ByteRange.All, ct).ConfigureAwait(false);
        if (there is null) return null;
        await using (there.ConfigureAwait(false))
        {
            if (length is { } expected && there.Length != expected) return null;
            var found = await SourceAsync(from, length, ct).ConfigureAwait(false);
            await using (found.ConfigureAwait(false))
            {
                using var content = new MeteredStream(found.Content, new ProgressMeter(null));
                if (!await IsEqualAsync(content, there.Content, ct).ConfigureAwait(false)) return null;
                Check(from, content, length, checksum);
                progress.Add(content.Count);
                _written.Add(to);
                return content.Count;
            }
        }
    }

    private static async ValueTask<bool> IsEqualAsync(Stream one, Stream other, CancellationToken ct)
    {
        var (left, right) = (new byte[CompareBytes], new byte[CompareBytes]);
        while (true)
        {
            var count = await one.ReadAtLeastAsync(left, left.Length, throwOnEndOfStream: false, ct).ConfigureAwait(false);
            var there = await other.ReadAtLeastAsync(right, right.Length, throwOnEndOfStream: false, ct).ConfigureAwait(false);
            if (!left.AsSpan(0, count).SequenceEqual(right.AsSpan(0, there))) return false;
            if (count < left.Length) return true;
        }
    }

    private async ValueTask<StoredObject> SourceAsync(StorageKey key, long? length, CancellationToken ct) =>
        await source.ReadAsync(key, new ByteRange(0, length), ct).ConfigureAwait(false)
            ?? throw Damaged(key, DamageKind.Missing, 0, "the manifest leads to this object, but it is not there");

    private static void Check(StorageKey key, MeteredStream content, long? length, uint? checksum)
    {
        if (length is { } expected && content.Count != expected)
            throw Damaged(key, DamageKind.CorruptObject, content.Count, $"the object has {content.Count} bytes, {expected} were written");
        if (checksum is { } sum && content.Checksum != sum)
            throw Damaged(key, DamageKind.CorruptObject, content.Count, $"the object's checksum does not hold: the manifest says {JsonLines.Hex(sum)}, the bytes give {JsonLines.Hex(content.Checksum)}");
    }

    private async ValueTask PutAsync(StorageKey key, Stream content, CancellationToken ct)
    {
        if (leftovers.Remove(key)) await target.DeleteAsync(key, ct).ConfigureAwait(false); // it is not what is to be there
        var result = await target.PutAsync(key, content, PutCondition.IfAbsent, ct).ConfigureAwait(false);
        if (!result.IsStored) throw Taken(key);
        _written.Add(key);
    }

    private static OpsLogException Taken(StorageKey key) => new(OpsLogError.Conflict, $"Somebody else is writing to the target: '{key}' is there already. Choose an empty one.");
}
