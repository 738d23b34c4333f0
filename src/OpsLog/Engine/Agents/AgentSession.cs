using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>An open store of many writers: what keeps it up with the others and, for an agent, what it writes with. A read-only opening has only the first.</summary>
internal sealed class AgentSession
{
    private readonly EngineSettings _settings;
    private readonly bool _numbered;

    public AgentSession(IOpsStorage storage, EngineSettings settings, OpenedStore opened, Action committed)
    {
        _settings = settings;
        _numbered = (storage.Capabilities & StorageCapabilities.Append) == 0;
        Merger = new Merger(storage, settings, opened);
        Feed = new AgentFeed(storage, settings, Merger);
        opened.State.Conflicts = new ConflictLog(opened.State.Extents, settings.AgentId);
        if (settings.AgentId is null) return;
        var ownLogs = new OwnLogs(storage, settings, Merger, opened.SchemaVersion);
        Writer = new Writer(opened.State, ownLogs, settings, committed);
        Compactor = new Compactor(storage, settings, Merger, ownLogs, Writer, opened.SchemaVersion);
    }

    public Merger Merger { get; }

    public AgentFeed Feed { get; }

    public Writer? Writer { get; }

    public Compactor? Compactor { get; }

    /// <summary>The registered logs.</summary>
    public IReadOnlyList<AgentInfo> Agents
    {
        get
        {
            lock (Merger.State.Gate)
            {
                return [.. Merger.Logs.OrderBy(l => l.Entry.Agent, StringComparer.Ordinal).ThenBy(l => l.Entry.Name, StringComparer.Ordinal).Select(l => new AgentInfo
                {
                    Agent = l.Entry.Agent,
                    Log = l.Entry.Name,
                    Clock = l.Clock,
                    LastSeen = IsoTime.TryRead(l.LastTime, out var time) ? time : null,
                    LogBytes = l.Read.Length,
                    Covered = l.Entry.Covered,
                    OperationsSinceCheckpoint = l.Operations,
                    IsSealed = l.HasEnded,
                    IsOwn = l.IsOwn,
                })];
            }
        }
    }

    /// <summary>The log that keeps deleted records remembered, by having been silent longest; null: none does.</summary>
    public string? TombstonesHeldBy
    {
        get
        {
            var holder = Merger.Logs.Where(l => !l.HasEnded).MinBy(l => l.Clock);
            return holder is not null && holder.Clock < Merger.State.Clock ? holder.Entry.Name : null;
        }
    }

    /// <summary>Operations that the snapshot does not cover, of all logs.</summary>
    public long Operations => Merger.Logs.Sum(l => l.Operations);

    /// <summary>Bytes read of all logs.</summary>
    public long LogBytes => Merger.Logs.Sum(l => l.Read.Length);

    public async ValueTask<int> RefreshAsync(CancellationToken ct)
    {
        var operations = await Merger.RefreshAsync(ct).ConfigureAwait(false);
        if (operations > 0) Compactor?.RunIfDueBehindRefresh();
        return operations;
    }

    /// <summary>Writes nothing more, makes a checkpoint if one is due, and seals the logs.</summary>
    public async ValueTask CloseAsync()
    {
        if (Writer is null) return;
        await Writer.Queue.SubmitAsync(new ExclusiveRequest(Writer.Close), CancellationToken.None).ConfigureAwait(false);
        try
        {
            if (_settings.Durability == Durability.Buffered) await Writer.FlushAsync(Flush.Written, CancellationToken.None).ConfigureAwait(false); // before a checkpoint, which may take long
        }
        finally
        {
            await Compactor!.Background.ConfigureAwait(false);
        }

        try
        {
            await Compactor!.CloseAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is StorageException or OpsLogException)
        {
            EngineLog.SignOffFailed(_settings.Logger, _settings.Telemetry.LogName, e); // the logs hold everything; they are ended like those of a process that died
        }
    }
}
