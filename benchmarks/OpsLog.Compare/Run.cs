using System.Globalization;
using System.Runtime.InteropServices;
using OpsLog.Compare.Peers;

namespace OpsLog.Compare;

/// <summary>One run: who takes part, the stores made for it, and what came out.</summary>
internal sealed class Run(Settings settings, Workspace workspace, IReadOnlyList<Peer> peers)
{
    private readonly Dictionary<(string Peer, Job Job), string> _filled = [];
    private string? _readyToRun;

    public Settings Settings => settings;

    public Workspace Workspace => workspace;

    public List<Result> Results { get; } = [];

    /// <summary>Those that can do that and keep the promise; the limit first.</summary>
    public IEnumerable<Peer> For(JobKind kind, Promise promise = Promise.Os) => peers.Where(peer => peer.Can(kind) && (kind != JobKind.Put || peer.Mode(promise) is not null));

    public IEnumerable<Peer> OpsLogAndLimit(JobKind kind) => For(kind).Where(peer => peer.Name is "limit" or "OpsLog");

    public Job Fresh(JobKind kind) => new(kind, workspace.Fresh());

    /// <summary>A job in a new folder, which goes afterwards.</summary>
    public async Task<Outcome> InNewFolderAsync(Peer peer, Job job, bool ownProcess = false)
    {
        job = job with { Folder = workspace.Fresh() };
        var outcome = ownProcess && peer is not NpmPeer ? await Child.RunAsync(peer.Name, job) : await peer.RunAsync(job);
        Workspace.Delete(job.Folder);
        return outcome;
    }

    /// <summary>The folder of a store that is made once a run. The limit reads the files of OpsLog.</summary>
    public async Task<string> FilledAsync(Peer peer, Job job)
    {
        if (peer is LimitPeer) peer = peers.FirstOrDefault(p => p is OpsLogPeer) ?? new OpsLogPeer();
        var key = (peer.Name, job with { Kind = JobKind.Fill, Folder = "", Promise = Promise.Os });
        if (_filled.TryGetValue(key, out var folder)) return folder;
        // Kept for the other workloads, each of which has a process of its own.
        folder = Path.Join(workspace.Shared, string.Create(CultureInfo.InvariantCulture, $"{peer.Name.Replace(' ', '-')}-{job.Records}-{job.Callers}{(job.Update ? "-log" : "")}{(job.LongIds ? "-long" : "")}"));
        if (!File.Exists(folder + ".done"))
        {
            Workspace.Delete(folder);
            await peer.RunAsync(key.Item2 with { Folder = folder });
            await File.WriteAllTextAsync(folder + ".done", "");
        }

        return _filled[key] = folder;
    }

    /// <summary>A job that changes the store it works on: on a copy, which goes afterwards.</summary>
    public async Task<Outcome> OnCopyAsync(Peer peer, Job fill, Job job)
    {
        job = job with { Folder = workspace.Fresh() };
        Workspace.Copy(await FilledAsync(peer, fill), job.Folder);
        var outcome = await peer.RunAsync(job);
        Workspace.Delete(job.Folder);
        return outcome;
    }

    /// <summary>The folder of this program published ready-to-run: compiled before it starts.</summary>
    public async Task<string> ReadyToRunAsync()
    {
        if (_readyToRun is not null) return _readyToRun;
        var folder = workspace.Fresh();
        await Child.OutputAsync("dotnet", ["publish", Project.File, "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier, "--self-contained", "false", "-p:PublishReadyToRun=true", "-v", "q", "-o", folder], mustSucceed: true);
        return _readyToRun = folder;
    }

    public async Task ReportAsync(Comparison comparison, bool warmUp = true)
    {
        Add(await comparison.RunAsync(settings.Rounds, warmUp, settings.Patience, Beginning));
    }

    /// <summary>Tells who is measured next, in case the process does not survive it.</summary>
    public void Beginning(string name)
    {
        if (settings.Inside is not null) File.WriteAllText(settings.JsonFile + Workloads.All.At, name);
    }

    /// <summary>Takes a table, and saves what there is.</summary>
    public void Add(Result result)
    {
        Results.Add(result);
        Console.Write(Report.Markdown(result));
        if (settings.JsonFile is { } file) new Findings("", Results).Save(file);
    }
}
