using System.Diagnostics;

namespace OpsLog.Compare.Peers;

/// <summary>The npm package whose format OpsLog reads and writes, in a Node.js process of its own for each job.</summary>
internal sealed class NpmPeer : Peer
{
    private const string Package = "@backloghq/opslog@0.8.1";
    private static readonly Lazy<(string? Why, string Node)> s_installed = new(Install);

    private static string Home => Path.Join(Path.GetTempPath(), "opslog-compare-npm");

    public override string Name => "npm 0.8.1";

    public override string Version => $"{Package}, Node.js {s_installed.Value.Node}";

    public override string? Mode(Promise promise) => promise switch
    {
        Promise.Disk => "immediate + fsync",
        Promise.Os => "immediate",
        _ => "async",
    };

    public override bool Can(JobKind kind) => true;

    public override string? WhyAbsent() => s_installed.Value.Why;

    public override async Task<Outcome> RunAsync(Job job)
    {
        var documents = await DocumentsAsync(job);
        var output = await Child.OutputAsync("node", ["--max-old-space-size=8192", Path.Join(AppContext.BaseDirectory, "Peers", "npm-worker.mjs"), Home, (job with { Documents = documents }).ToJson()]);
        return Outcome.FromJson(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
    }

    // Two lines for each number: as it is at first, and changed.
    private static async Task<string> DocumentsAsync(Job job)
    {
        var path = Path.Join(Path.GetDirectoryName(job.Folder), $"documents-{job.Records}.jsonl");
        if (File.Exists(path)) return path;
        await using var file = new BufferedStream(File.Create(path), 1 << 20);
        for (var i = 0; i < job.Records; i++)
        {
            foreach (var variant in new[] { 0, 1 })
            {
                file.Write(Items.Json(Items.Make(i, variant)));
                file.WriteByte((byte)'\n');
            }
        }

        return path;
    }

    private static (string? Why, string Node) Install()
    {
        try
        {
            var node = Run("node", "--version");
            Directory.CreateDirectory(Home);
            if (!File.Exists(Path.Join(Home, "node_modules", "@backloghq", "opslog", "package.json")))
                Run("npm", "install", "--prefix", Home, "--no-audit", "--no-fund", Package);
            return (null, node.Trim());
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            return ($"Node.js or the package cannot be had here: {e.Message.Split('\n')[0]}", "?");
        }
    }

    private static string Run(string program, params string[] arguments) => Child.OutputAsync(program, arguments).GetAwaiter().GetResult();
}
