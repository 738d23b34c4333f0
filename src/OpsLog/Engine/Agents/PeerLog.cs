using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>
/// A log of a store of many writers, as far as this opening knows it. Changed under the state's gate, so that a view and the places of all logs fit
/// together.
/// </summary>
internal sealed class PeerLog(LogEntry entry, Extent extent)
{
    /// <summary>What the manifest says of it.</summary>
    public LogEntry Entry { get; set; } = entry;

    public StorageKey Key { get; } = new(entry.Name);

    /// <summary>Where its bytes are held. Another one from where the log was cut: records may lie in what was there before.</summary>
    public Extent Extent { get; set; } = extent;

    public StampSource Source { get; } = StampSource.Of(entry.Agent, entry.Name);

    /// <summary>How far it was read: whole lines and batches; of a numbered log also whole objects.</summary>
    public LogExtent Read { get; set; }

    /// <summary>The offset behind the last operation that stands.</summary>
    public long Standing { get; set; }

    /// <summary>The object's length when it was last looked at.</summary>
    public long Observed { get; set; }

    /// <summary>The clock of the last operation read; before that the one it starts from.</summary>
    public long Clock { get; set; } = entry.Clock;

    /// <summary>Operations that were read and that the snapshot does not cover.</summary>
    public long Operations { get; set; }

    /// <summary>When the last operation read was written, as its line says; empty: none was read.</summary>
    public string LastTime { get; set; } = "";

    /// <summary>When something new was last found in it, by this process's monotonic clock.</summary>
    public long MovedAt { get; set; }

    /// <summary>It was read to its seal: nothing comes behind it.</summary>
    public bool IsSealed { get; set; }

    /// <summary>The object was there: a registered log may not have been created yet.</summary>
    public bool Exists { get; set; }

    /// <summary>Only this process writes to it, so its lines are never read from the storage.</summary>
    public bool IsOwn => Target is not null;

    /// <summary>This process's way to write to it; null: it is another's, or was given up without knowing how far it goes.</summary>
    public LogTarget? Target { get; set; }

    /// <summary>This process appends to it.</summary>
    public bool IsActive { get; set; }

    /// <summary>This process's writer has not left it yet: lines of a group under way lie in its extent, though others may have ended the log.</summary>
    public bool IsWritten { get; set; }

    /// <summary>This process's, given up because an append failed in a way that left its end unknown: it has to be sealed.</summary>
    public bool IsAbandoned { get; set; }

    /// <summary>Its object is gone, which is damage that was skipped: what the snapshot does not cover of it is lost.</summary>
    public bool IsLost { get; set; }

    /// <summary>A damaged line of it was skipped. A snapshot made by somebody who had read it before may hold what stood there.</summary>
    public bool HasSkipped { get; set; }

    /// <summary>The last object read, of a numbered log, is an empty line.</summary>
    public bool EndsWithEmptyLine => Read.Length > 0 && Extent.Before(Read.Length, out _) is [(byte)'\n'];

    /// <summary>Nothing can come behind what was read.</summary>
    public bool HasEnded => IsSealed || IsLost || (IsOwn && !IsActive);

    /// <summary>As far as it was read there is no operation in it: what lies there are empty lines, and what was never finished.</summary>
    public bool IsEmpty => Clock <= Entry.Start && Entry.Covered == 0;

    /// <summary>Its beginning was covered by a snapshot that was merged, and never read.</summary>
    public bool IsPartlyRead { get; set; }

    /// <summary>How many objects of it were never read.</summary>
    public long SkippedPieces { get; set; }

    /// <summary>Their bytes, once they were counted: offsets in the feed count them.</summary>
    public long Skipped { get; set; }

    /// <summary>
    /// Where a log ends that was cut inside what a snapshot covers: a power loss may take what was never synced. Nothing is missing then. Null: it was not cut.
    /// </summary>
    public static async ValueTask<long?> EndOfCutAsync(IOpsStorage storage, LogEntry entry, long covered, CancellationToken ct)
    {
        var key = new StorageKey(entry.Name);
        if (await ObjectReader.StatAsync(storage, key, ct).ConfigureAwait(false) is not { } stat || stat.Length >= covered) return null;
        var scanner = new LogScanner(new LogSource(entry.Name, entry.Start, entry.Agent), Recovery.SkipCorrupt) { WaitsForMore = true, EndsWithSeal = true };
        await LogReader.ReadAsync(storage, key, 0, null, part => scanner.Scan(part, NoOperations.Instance), ct).ConfigureAwait(false);
        return Math.Max(0, scanner.Standing);
    }

    /// <summary>What a snapshot that holds all that was read covers: a byte offset, or a count of objects.</summary>
    public long Position(bool numbered) => numbered ? Read.Pieces : Standing;

    /// <summary>The writer has appended to it.</summary>
    public void Advance(LogTarget target, long standing, long clock, long operations, string time)
    {
        (Read, Standing, Observed) = (new LogExtent(standing, target.Pieces), standing, standing);
        (Clock, Operations, LastTime) = (clock, operations, time);
    }
}
