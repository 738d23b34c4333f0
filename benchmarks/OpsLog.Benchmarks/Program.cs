using OpsLog.Benchmarks;
using OpsLog.Benchmarks.Sections;

// Figures of a fresh process come first: nothing else may run before their timer.
if (args is [ChildSections.Prefix, ..]) return await ChildSections.RunAsync(args);

if (Settings.TryRead(args) is not { } settings)
{
    Console.Error.WriteLine(Settings.Usage);
    return 2;
}

(string Name, Func<Settings, Workspace, Task> Run)[] sections =
[
    ("growth", Growth.RunAsync),
    ("amplification", Amplification.RunAsync),
    ("folder", FolderSize.RunAsync),
    ("open", Opening.RunAsync),
    ("put", Puts.RunAsync),
    ("get", Reads.GetAsync),
    ("scan", Reads.ScanAsync),
    ("checkpoint", Checkpoints.RunAsync),
    ("undo", Undos.RunAsync),
    ("memory", Memory.RunAsync),
    ("agents", Agents.RunAsync),
    ("refresh", Refreshes.RunAsync),
    ("telemetry", Telemetry.RunAsync),
];

var unknown = settings.Sections.Where(s => s != "all" && sections.All(known => known.Name != s)).ToArray();
if (unknown.Length > 0)
{
    Console.Error.WriteLine($"There is no section '{unknown[0]}'.\n\n{Settings.Usage}");
    return 2;
}

Machine.Print(settings);
using var workspace = new Workspace(settings.Folder);
foreach (var (name, run) in sections)
    if (settings.Sections.Contains("all") || settings.Sections.Contains(name))
        await run(settings, workspace);
return 0;
