using OpsLog.Compare;
using OpsLog.Compare.Workloads;

ThreadPool.SetMinThreads(32, 8); // callers of stores that block have a thread each
if (args is [Child.Verb, var name, var json]) return await Child.ServeAsync(name, Job.FromJson(json));

if (Settings.TryRead(args) is not { } settings)
{
    Console.Error.WriteLine(Settings.Usage);
    return 2;
}

using var workspace = new Workspace(settings.Folder, settings.Inside);
if (settings.Builds.Count > 0) return await Guard.RunAsync(settings, workspace);

if (settings.Loop) return await Loop.RunAsync(settings, workspace);
if (settings.Inside is not null)
{
    await All.MeasureHereAsync(settings, workspace);
    return 0;
}

var file = settings.JsonFile ?? Path.Join(Path.GetTempPath(), $"opslog-compare-{Environment.ProcessId}.json");
var findings = settings.From is { } earlier ? Findings.Load(earlier.Split(','))
    : settings.Growth ? await GrowthTable.MeasureAsync(settings, workspace, file)
    : await All.MeasureAsync(settings, workspace, file);
if (settings.Docs is { } docs)
    await Report.WriteAsync(Path.Join(docs, "performance.md"), findings, Plots.Write(Path.Join(docs, "images"), findings.Results));
return 0;
