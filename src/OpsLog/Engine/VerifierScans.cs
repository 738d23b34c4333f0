using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>The passes over logs, history, archives and whole objects.</summary>
internal sealed partial class Verifier
{
    // Every log is an extent of the state it is replayed into, and extents are limited.
    private const int MostLogsAtOnce = 1000;

    /// <summary>Reads a log to its end, or to a limit; null if it is not there.</summary>
    private async ValueTask<LogExtent?> ScanAsync(
        LogSource log, StampSource source, int schema, long? limit, StoreState state, StateBuilder builder, bool checksPrevious, CancellationToken ct, bool hasSeal = false)
    {
        var key = new StorageKey(log.Name);
        var extent = state.Extents.Add(new Extent(log.Name, [source]));
        builder.EnterLog(extent, source, schema);
        var scanner = new LogScanner(log, Recovery.SkipCorrupt) { RefuseDoubtful = _refusesDoubtful, IsClosed = limit is not null || (IsNumbered && !hasSeal), EndsWithSeal = hasSeal };
        var lines = new VerifierLines(state, builder, scanner, checksPrevious) { IsPartial = _isPartial, Start = log.StartClock };
        long done = 0;
        var read = await LogReader.ReadAsync(_storage, key, 0, limit, part =>
        {
            if (part.Memory.Length > 0) extent.Add(part.Start, part.Memory, part.Owner);
            lines.Part = part;
            var taken = scanner.Scan(part, lines);
            _progress.Add(part.Start + taken - done);
            done = part.Start + taken;
            return taken;
        }, ct, Window).ConfigureAwait(false);
        if (read is not { } found) return null;

        _objects += 1 + found.Pieces;
        _bytes += Math.Min(found.Length, limit ?? found.Length);
        _operations += scanner.Operations;
        _mustRefuseDoubtful |= !_refusesDoubtful && scanner.Skipped.Count > 0 && scanner.SawDoubtful;
        _damages.AddRange(scanner.Skipped);
        _damages.AddRange(lines.Damages);
        _notes.AddRange(scanner.Notes);
        return found;
    }

    private async ValueTask HistoryAsync(Manifest manifest, CancellationToken ct)
    {
        if (manifest.History is not { } reference) return;
        var history = await new HistoryKeeper(_storage, _settings).FindAsync(manifest, ct).ConfigureAwait(false);
        if (history.Damage is { } damage) _damages.Add(damage);
        var logs = history.Logs;
        _progress.Begin("history", logs.Sum(l => l.Length));
        if (await ObjectReader.StatAsync(_storage, new StorageKey(reference.Name), ct).ConfigureAwait(false) is { } index) Count(index.Length);
        _isPartial = true; // what the oldest log began with is no longer there
        StoreState state = null!;
        StateBuilder builder = null!;
        for (var i = 0; i < logs.Count; i++)
        {
            var log = logs[i];
            if (i % MostLogsAtOnce == 0)
            {
                state = new StoreState(_settings.Nonces.NextSeed());
                builder = new StateBuilder(state, Migration.None, merges: false);
            }

            var isAlone = log.Agent.Length == 0 && logs.All(l => l.Agent.Length == 0 && l.Schema == log.Schema);
            var source = new LogSource(log.Name, log.StartClock, log.Agent);
            var stamps = StampSource.Of(log.Agent, log.Name);
            var read = await ScanAsync(source, stamps, log.Schema, log.Length, state, builder, isAlone, ct, hasSeal: StoreKeys.IsAgentsOfOurs(new StorageKey(log.Name), log.Agent)).ConfigureAwait(false);
            if (read is not { } found) Missing(log.Name, "the history index lists this log, but it is not there");
            else if (found.Length < log.Length) Object(log.Name, found.Length, $"the log has {found.Length} bytes, {log.Length} were written");
        }

        _progress.End();
    }

    private async ValueTask ArchivesAsync(IReadOnlyList<ArchiveEntry> archives, CancellationToken ct)
    {
        if (archives.Count == 0) return;
        _progress.Begin("archives", 0);
        foreach (var entry in archives)
            foreach (var part in entry.Objects)
                await ArchiveAsync(entry.Period, part, ct).ConfigureAwait(false);
        _progress.End();
    }

    private async ValueTask ArchiveAsync(string period, ArchiveObject part, CancellationToken ct)
    {
        if (!StorageKey.IsValid(part.Name))
        {
            Object(part.Name, 0, "the manifest lists an archive that is no object name");
            return;
        }

        if (await ObjectReader.ReadAllAsync(_storage, new StorageKey(part.Name), ct).ConfigureAwait(false) is not { } found)
        {
            Missing(part.Name, "the manifest lists this archive, but it is not there");
            return;
        }

        Count(found.Bytes.Length);
        _progress.Add(found.Bytes.Length);
        if (ArchiveFault(period, part, found.Bytes) is { Length: > 0 } fault) Object(part.Name, found.Bytes.Length, fault);
    }

    /// <summary>What is wrong with an archive; empty if nothing is.</summary>
    internal static string ArchiveFault(string period, ArchiveObject part, byte[] bytes)
    {
        if (!ArchiveReader.TryOpen(bytes, out var reader, out var fault)) return fault;
        if (reader.Header.Format > FormatVersion.Current)
            throw new OpsLogException(OpsLogError.TooNew, $"The archive '{part.Name}' has format {reader.Header.Format}. Update the program.");
        if (reader.Header.Format is null) return "";
        // The package keeps no periods, only the names made of them.
        var isListed = string.Equals(reader.Header.Period, period, StringComparison.Ordinal) || string.Equals(StoreKeys.Archive(reader.Header.Period).Value, part.Name, StringComparison.Ordinal);
        if (!isListed) return $"it is an archive of '{reader.Header.Period}', listed for '{period}'";

        // More than listed is no damage: an archive run was interrupted before it could list them, and they are in the store as well.
        long records = 0;
        while (reader.Read(out _, out _)) records++;
        return records < part.Records ? $"it has {records} records, the manifest says {part.Records}" : "";
    }

    private async ValueTask<(long Length, uint Checksum)> SumAsync(string name, CancellationToken ct)
    {
        if (!StorageKey.IsValid(name)) return default; // loading says what is wrong
        var checksum = Crc32C.Start();
        long length = 0;
        var isThere = await ObjectReader.ReadAsync(_storage, new StorageKey(name), 0, null, 0, part =>
        {
            checksum.Append(part.Memory.Span);
            length += part.Memory.Length;
            _progress.Add(part.Memory.Length);
            return part.Memory.Length;
        }, Window, ct).ConfigureAwait(false);
        if (isThere is not null) Count(length);
        return (length, checksum.Value);
    }
}
