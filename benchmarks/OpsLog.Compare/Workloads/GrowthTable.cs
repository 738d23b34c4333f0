using System.Diagnostics;
using OpsLog.Compare.Peers;

namespace OpsLog.Compare.Workloads;

/// <summary>What each operation of OpsLog costs in stores that are ten times as large from row to row: nothing but opening and the checkpoint may grow.</summary>
internal static class GrowthTable
{
    private const int Operations = 1000;
    private const int News = 100;
    private const int Reads = 500_000;
    private const int Smallest = 1_000;
    private const int WarmUps = 30; // rounds that are not counted: the code is compiled, and compiled again

    public static async Task<Findings> MeasureAsync(Settings settings, Workspace workspace, string file)
    {
        var head = Machine.Describe(settings);
        Console.Write(head);
        var warmUp = workspace.Fresh();
        await FillAsync(warmUp, Smallest);
        for (var round = 0; round < WarmUps; round++) await RoundAsync(warmUp, Smallest);
        Workspace.Delete(warmUp);
        var tables = new Dictionary<string, Result>();
        for (long size = Smallest; size <= settings.MostGrowth; size *= 10)
        {
            var folder = workspace.Fresh();
            await FillAsync(folder, (int)size);
            for (var round = 0; round < settings.Rounds; round++)
            {
                var figures = round == 0 ? await MemoryAsync(folder, (int)size) : []; // later it is a store of agents, that has to be taken over
                foreach (var (title, unit, figure) in figures.Concat(await RoundAsync(folder, (int)size)))
                {
                    if (!tables.TryGetValue(title, out var table)) tables[title] = table = new Result("growth", title, unit, "");
                    var name = Figures.Records((int)size) + " records";
                    if (table.Rows.Count == 0 || table.Rows[^1].Name != name) table.Rows.Add(new Row(name, ""));
                    table.Rows[^1].Figures.Add(figure);
                    table.Rows[^1].Ratios.Add(figure / table.Rows[0].Figures[round]);
                    Console.Error.WriteLine($"growth round {round + 1}, {name}, {title}: {Figures.Text(figure)} {unit}");
                }
            }

            Workspace.Delete(folder);
            new Findings(head, [.. tables.Values]).Save(file);
        }

        foreach (var table in tables.Values) Console.Write(Report.Markdown(table));
        return new Findings(head, [.. tables.Values]);
    }

    private static async Task FillAsync(string folder, int size)
    {
        await using var store = await OpenAsync(folder);
        var job = new Job(JobKind.Fill, folder);
        for (var first = 0; first < size; first += Operations)
        {
            await store.BatchAsync(batch =>
            {
                for (var i = first; i < Math.Min(size, first + Operations); i++) batch.Set(job.Id(i), Items.Make(i));
            });
        }

        await store.CompactAsync();
    }

    private static async Task<(string Title, string Unit, double Figure)[]> MemoryAsync(string folder, int size)
    {
        var job = new Job(JobKind.Open, folder) { Records = size, OnDisk = true };
        var (opened, read) = (await Child.RunAsync("OpsLog", job), await Child.RunAsync("OpsLog", job with { Reads = Reads }));
        return [
            ("Memory of a process that has opened it with documents on disk", "MiB", opened.More["memory, MiB"]),
            ($"Memory of a process that has read {Reads:#,0} random records besides, the files in the page cache", "MiB", read.More["memory, MiB"]),
            ("A random read of a document on disk, the files in the page cache", "ns", read.More["a read, ns"])];
    }

    private static async Task<List<(string Title, string Unit, double Figure)>> RoundAsync(string folder, int size)
    {
        var found = new List<(string, string, double)>();
        var random = new Random(size);
        var ids = Enumerable.Range(0, Operations).Select(_ => Items.Id(random.Next(size))).ToArray();
        var items = Items.Make(Operations, 0, Environment.TickCount % 1000);
        var start = Stopwatch.GetTimestamp();
        await using (var store = await OpenAsync(folder))
        {
            found.Add(("Opening, for each record", "ns", Figures.Nanoseconds(size, start)));
            foreach (var id in ids) _ = store[id]; // the first read makes the document
            found.Add(("Get", "ns", Mean(ids.Length, i => store.TryGetValue(ids[i], out _))));
            found.Add(("Get, the same ten records again and again", "ns", Mean(ids.Length * 100, i => store.TryGetValue(ids[i % 10], out _))));
            found.Add(("Put, `Os`", "µs", await MedianAsync(Operations, async i => await store.SetAsync(ids[i], items[i])) / 1000));
            found.Add(("Undo, `Os`", "µs", await MedianAsync(News, async _ => await store.UndoAsync()) / 1000));
            LimitPeer.Copy(new Job(JobKind.Checkpoint, folder)); // not counted: what the page cache takes from the host for the first time costs more than all else
            start = Stopwatch.GetTimestamp();
            await store.CompactAsync();
            found.Add(("Checkpoint, for each record", "ns", Figures.Nanoseconds(size, start)));
        }

        found.Add(("The limit of a get: `Dictionary<string, T>`", "ns", LimitOfGet(ids, size)));
        found.Add(("The limit of a checkpoint: the snapshot's file copied and synced, for each record", "ns", LimitPeer.Copy(new Job(JobKind.Checkpoint, folder)).Figure * 1e6 / size));

        // Agents make a store theirs: the single writer's next opening takes it back.
        await using var writer = await OpenAsync(folder, "writer");
        await using var reader = await OpenAsync(folder, "reader");
        var times = new List<double>();
        for (var time = 0; time < 20; time++)
        {
            for (var i = 0; i < News; i++) await writer.SetAsync(ids[i], items[(i + time) % items.Length]);
            start = Stopwatch.GetTimestamp();
            await reader.RefreshAsync();
            times.Add(Figures.Nanoseconds(1, start) / 1000);
        }

        found.Add(("Refresh of 100 operations of another agent", "µs", Figures.Median(times)));
        return found;
    }

    // As many ids; a document of its own for each that is asked for, as in the store, where no other was read.
    private static double LimitOfGet(string[] ids, int size)
    {
        var dictionary = new Dictionary<string, Item>(size, StringComparer.Ordinal);
        var other = Items.Make(0);
        for (var i = 0; i < size; i++) dictionary.Add(Items.Id(i), other);
        for (var i = 0; i < ids.Length; i++) dictionary[ids[i]] = Items.Make(i);
        return Mean(ids.Length, i => dictionary.TryGetValue(ids[i], out _));
    }

    private static ValueTask<OpsStore<Item>> OpenAsync(string folder, string? agent = null) => OpsStore<Item>.OpenAsync(folder, new OpsStoreOptions
    {
        JsonTypeInfo = ItemJson.Default.Item,
        AgentId = agent,
        Durability = Durability.Os,
        Checkpoint = new CheckpointOptions { Automatic = false },
    });

    private static double Mean(int count, Action<int> call)
    {
        for (var i = 0; i < count; i++) call(i);
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++) call(i);
        return Figures.Nanoseconds(count, start);
    }

    private static async Task<double> MedianAsync(int count, Func<int, Task> call)
    {
        var times = new double[count];
        for (var i = 0; i < count; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await call(i);
            times[i] = Figures.Nanoseconds(1, start);
        }

        return Figures.Median(times);
    }
}
