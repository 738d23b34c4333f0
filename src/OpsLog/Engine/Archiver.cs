using System.Buffers;
using System.Globalization;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Moves records into an archive period: writes the period's object, lists it in the manifest, then appends the deletes. A crash in between
/// leaves a record in both places, never in none.
/// </summary>
internal sealed class Archiver(IOpsStorage storage, EngineSettings settings, Checkpointer? checkpointer, ManifestRegister register, Migration migration)
{
    private const int MostTries = 20;
    private const int LongestPeriod = 200;
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly byte[] _agent = System.Text.Encoding.UTF8.GetBytes(settings.AgentId ?? "");

    /// <summary>The period of now: the quarter, by UTC.</summary>
    public static string DefaultPeriod(TimeProvider time)
    {
        var now = time.GetUtcNow();
        return string.Create(CultureInfo.InvariantCulture, $"{now.Year:D4}-Q{(now.Month + 2) / 3}");
    }

    /// <summary>The period a segment says it is of; null if it cannot be read.</summary>
    public static string? PeriodOf(byte[] segment) => ArchiveReader.TryOpen(segment, out var reader, out _) ? reader.Header.Period : null;

    /// <summary>Each period once, with all of its objects: we and the package may name the object of one period differently.</summary>
    public static IReadOnlyList<ArchiveEntry> ByPeriod(IEnumerable<ArchiveEntry> archives) =>
        [.. archives.GroupBy(a => a.Period, StringComparer.Ordinal).Select(g => new ArchiveEntry(g.Key, [.. g.SelectMany(a => a.Objects)]))];

    /// <summary>The largest clock of all stamps in archives; 0: they have none. What is no archive is passed over: who needs it will be told.</summary>
    public static async ValueTask<long> NewestClockAsync(IOpsStorage storage, IEnumerable<ArchiveEntry> archives, CancellationToken ct)
    {
        long newest = 0;
        foreach (var part in archives.SelectMany(a => a.Objects))
        {
            if (StorageKey.IsValid(part.Name) && await ObjectReader.ReadAllAsync(storage, new StorageKey(part.Name), ct).ConfigureAwait(false) is { } found)
                newest = Math.Max(newest, NewestClock(found.Bytes));
        }

        return newest;
    }

    /// <exception cref="ArgumentException">The period is not one.</exception>
    public static void CheckPeriod(string period)
    {
        if (period.Length is 0 or > LongestPeriod || JsonText.HasLoneSurrogate(period))
            throw new ArgumentException($"An archive period has 1 to {LongestPeriod} characters of valid text.", nameof(period));
    }

    /// <summary>Writes the records of a view into a period, and returns the deletes that end the move.</summary>
    public async ValueTask<List<BatchItem>> MoveAsync(StoreView view, IReadOnlyList<string> ids, string period, CancellationToken ct)
    {
        await _one.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            var entry = register.Current.Archives.FirstOrDefault(a => string.Equals(a.Period, period, StringComparison.Ordinal));
            RefuseCaseTwin(period);
            if (checkpointer is null) return await MoveIntoSegmentAsync(view, ids, period, ct).ConfigureAwait(false);
            // One file a period, for the package loads only the first: what many writers made of it is merged into that.
            var key = entry?.Objects is [var only] && !StoreKeys.IsArchiveSegment(new StorageKey(only.Name)) ? new StorageKey(only.Name) : StoreKeys.Archive(period);
            var stat = await ObjectReader.StatAsync(storage, key, ct).ConfigureAwait(false);
            if (!await register.IsCurrentAsync(ct).ConfigureAwait(false))
            {
                await register.ReadAsync(ct).ConfigureAwait(false); // a newer program's is refused as that
                throw TakenOver();
            }

            var records = entry is null ? [] : await LoadAsync(entry, Migration.None, ct).ConfigureAwait(false);
            var before = records.Count;
            var moved = Take(view, ids, period, records);
            if (moved.Count == 0) return moved;
            // Replaced only as it was read: a writer that has been taken over must not undo what its successor archived.
            var condition = stat is { } known ? PutCondition.IfVersion(known.Version) : PutCondition.IfAbsent;
            var stored = await storage.PutAsync(key, new ReadOnlyMemoryStream(Encode(period, records)), condition, ct).ConfigureAwait(false);
            if (stored.Outcome == PutOutcome.Conflict) throw TakenOver();
            if (!stored.IsStored)
                throw new OpsLogException(OpsLogError.StorageFailed, $"The archive '{key}' could not be written ({stored.Detail ?? "somebody holds it"}); every record is still in the store. Try again.");
            await checkpointer.SwapAsync(m => Listed(m, new ArchiveEntry(period, [new ArchiveObject(key.Value, records.Count)]), records.Count - before), ct).ConfigureAwait(false);
            return moved;
        }
        finally
        {
            _one.Release();
        }
    }

    // Among many writers each run writes a segment of its own. Its name is reserved first, so that no collector takes it for a leftover, and it is listed before any record goes.
    private async ValueTask<List<BatchItem>> MoveIntoSegmentAsync(StoreView view, IReadOnlyList<string> ids, string period, CancellationToken ct)
    {
        var records = new SortedDictionary<string, ArchivedRecord>(StringComparer.Ordinal);
        var moved = Take(view, ids, period, records);
        if (moved.Count == 0) return moved;
        var bytes = Encode(period, records);
        if (register.Current.Exclusive is not null) await register.RefreshAsync(ct).ConfigureAwait(false); // perhaps it has closed
        for (var tries = 0; tries < MostTries; tries++)
        {
            StorageKey key = default;
            await register.UpdateAsync(m =>
            {
                Agents.OwnLogs.RefuseSingleWriter(m);
                key = StoreKeys.ArchiveSegment(period, m.Revision, settings.Nonces.Next());
                return m with { Reserved = [.. m.Reserved, key.Value] };
            }, ct, m => m.Reserved.Contains(key.Value, StringComparer.Ordinal)).ConfigureAwait(false);
            if (!(await storage.PutAsync(key, new ReadOnlyMemoryStream(bytes), PutCondition.IfAbsent, ct).ConfigureAwait(false)).IsStored) continue;
            var listed = await register.TryUpdateAsync(
                m => m.Exclusive is null && m.Reserved.Contains(key.Value, StringComparer.Ordinal) ? WithSegment(m, period, key, records.Count) : null,
                ct,
                m => m.Archives.Any(a => a.Objects.Any(o => string.Equals(o.Name, key.Value, StringComparison.Ordinal)))).ConfigureAwait(false);
            if (listed is not null) return moved;
        }

        throw new OpsLogException(OpsLogError.Conflict, $"Checkpoints by others voided the archive's segment {MostTries} times; every record is still in the store. Try again.");
    }

    private static Manifest WithSegment(Manifest manifest, string period, StorageKey key, int records)
    {
        var known = manifest.Archives.FirstOrDefault(a => string.Equals(a.Period, period, StringComparison.Ordinal)) ?? new ArchiveEntry(period, []);
        var entry = known with { Objects = [.. known.Objects, new ArchiveObject(key.Value, records)] };
        return Listed(manifest, entry, records) with { Reserved = [.. manifest.Reserved.Where(r => !string.Equals(r, key.Value, StringComparison.Ordinal))] };
    }

    /// <summary>All records of a period.</summary>
    public async ValueTask<SortedDictionary<string, ArchivedRecord>> LoadAsync(ArchiveEntry entry, Migration migration, CancellationToken ct)
    {
        var records = new SortedDictionary<string, ArchivedRecord>(StringComparer.Ordinal);
        foreach (var part in entry.Objects)
        {
            if (!StorageKey.IsValid(part.Name)) throw Damaged(part.Name, "the manifest lists an archive that is no object name");
            var found = await ObjectReader.ReadAllAsync(storage, new StorageKey(part.Name), ct).ConfigureAwait(false);
            if (found is not { } stored) throw LogScanner.Refused(new Damage(DamageKind.Missing, part.Name, 0, 0, 0, "the manifest lists this archive, but it is not there"));
            Read(part, stored.Bytes, records, migration);
        }

        return records;
    }

    private static long NewestClock(byte[] segment)
    {
        long newest = 0;
        if (!ArchiveReader.TryOpen(segment, out var reader, out _)) return newest;
        while (reader.Read(out _, out var stamp)) newest = Math.Max(newest, stamp?.Clock ?? 0);
        return newest;
    }

    private static void Read(ArchiveObject part, byte[] bytes, SortedDictionary<string, ArchivedRecord> records, Migration migration)
    {
        if (!ArchiveReader.TryOpen(bytes, out var reader, out var fault)) throw Damaged(part.Name, fault);
        if (reader.Header.Format > FormatVersion.Current)
            throw new OpsLogException(OpsLogError.TooNew, $"The archive '{part.Name}' has format {reader.Header.Format}. Update the program.");
        var schema = reader.Header.Schema > 0 ? reader.Header.Schema : Math.Max(1, part.Schema); // a segment of the package does not say it
        while (reader.Read(out var record, out var stamp))
        {
            var kept = new ArchivedRecord(migration.Apply(record.Data, schema).ToArray(), stamp ?? new Stamp(0, "", ""), schema);
            if (!records.TryGetValue(record.Id(), out var known) || known.Stamp.CompareTo(kept.Stamp) <= 0) records[record.Id()] = kept;
        }
    }

    private List<BatchItem> Take(StoreView view, IReadOnlyList<string> ids, string period, SortedDictionary<string, ArchivedRecord> records)
    {
        // The deletes are one batch: that it can be written has to be known before the archive is.
        var (moved, room) = (new List<BatchItem>(), (long)settings.Limits.Unit);
        foreach (var id in ids)
        {
            if (!view.Records.TryGet(id, out var location, out _, out var handle) || location.IsTombstone) continue;
            var record = StoreState.ReadChecked(view.Extents, location);
            // Another run may have archived a newer value since the view was taken: that one stays, and so does the store's record.
            if (records.TryGetValue(id, out var known) && known.Stamp.CompareTo(record.Stamp) > 0) continue;
            records[id] = new ArchivedRecord(record.Document.ToArray(), record.Stamp, 0);
            moved.Add(new BatchItem(id, null, new BatchOrigin(UndoMark.None, default, period, record.Stamp)));
            room -= OperationCodec.MaxLength(new OperationDraft { IdWtf8 = handle.Id, AgentWtf8 = _agent, Prev = record.Document, Segment = period, Moved = record.Stamp });
            if (room < 0) throw new OpsLogException(OpsLogError.InvalidDocument, $"The records to archive have more than {settings.Limits.Unit} bytes, too many to be deleted as one. Nothing was written; archive fewer at a time.");
        }

        return moved;
    }

    private byte[] Encode(string period, SortedDictionary<string, ArchivedRecord> records)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new ArchiveWriter(output, period, IsoTime.ToText(settings.Time.GetUtcNow()), migration.Target);
        foreach (var (id, record) in records)
        {
            var wtf8 = new byte[JsonText.MaxWtf8(id.Length)];
            var key = wtf8.AsSpan(0, JsonText.ToWtf8(id, wtf8));
            if (record.Schema > 0) migration.RequireFor(record.Schema, "Writing the archive anew");
            var document = record.Schema == 0 ? record.Document : migration.Apply(record.Document, record.Schema, key);
            if (output.WrittenCount + document.Length + (6L * key.Length) > settings.Limits.Unit) // it is read whole
                throw new OpsLogException(OpsLogError.InvalidDocument, $"The archive '{period}' would have more than {settings.Limits.Unit} bytes. Nothing was written; archive into another period.");
            writer.Add(key, document, record.Stamp);
        }

        writer.End();
        return output.WrittenSpan.ToArray();
    }

    private static Manifest Listed(Manifest manifest, ArchiveEntry entry, int added)
    {
        var others = manifest.Archives.Where(a => !string.Equals(a.Period, entry.Period, StringComparison.Ordinal));
        var archives = others.Append(entry).OrderBy(a => a.Period, StringComparer.Ordinal).ToList();
        return manifest with
        {
            Archives = archives,
            Package = manifest.Package with
            {
                ArchiveSegments = [.. archives.SelectMany(a => a.Objects).Select(o => o.Name)],
                Stats = manifest.Package.Stats with { ArchivedRecords = manifest.Package.Stats.ArchivedRecords + added },
            },
        };
    }

    // On a file system that ignores case two such periods would be one file.
    private void RefuseCaseTwin(string period)
    {
        var twin = register.Current.Archives.FirstOrDefault(a => string.Equals(a.Period, period, StringComparison.OrdinalIgnoreCase));
        if (twin is not null && !string.Equals(twin.Period, period, StringComparison.Ordinal))
            throw new ArgumentException($"There is an archive '{twin.Period}': '{period}' differs only in case. Use its name.", nameof(period));
    }

    private static OpsLogException TakenOver() => new(OpsLogError.Fenced, "Another writer has changed the store; every record is still in it. Reopen the store.");

    private static OpsLogException Damaged(string name, string fault) => LogScanner.Refused(new Damage(DamageKind.CorruptObject, name, 0, 0, 0, fault));
}

/// <summary>A record in an archive. Schema 0: it is in the store's own version already.</summary>
internal sealed record ArchivedRecord(byte[] Document, Stamp Stamp, int Schema);
