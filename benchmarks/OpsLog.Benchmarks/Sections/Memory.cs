using System.Globalization;

namespace OpsLog.Benchmarks.Sections;

/// <summary>Memory for each record, of a process that does nothing else.</summary>
internal static class Memory
{
    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        var size = settings.Most;
        var folder = workspace.Fresh();
        await Stores.MakeAsync(folder, size, snapshot: true);
        var json = Enumerable.Range(0, 1000).Average(i => Items.Json(Items.Make(i)).Length);
        var table = new Table(
            $"Memory of a process with {Figures.Records(size)} records; their JSON is {Figures.Text(json)} bytes each",
            "", "managed heap, bytes a record", "private, MiB", "with mapped files, MiB");
        var store = await Child.RunAsync(ChildSections.Prefix, ChildSections.MemoryOfStore, folder);
        var dictionary = await Child.RunAsync(ChildSections.Prefix, ChildSections.MemoryOfDictionary, folder, size.ToString(CultureInfo.InvariantCulture));
        Row(table, "store, opened", store[..3], size);
        Row(table, "store, after a scan that made every document", store[3..], size);
        Row(table, "`Dictionary<string, T>`", dictionary, size);
        table.Print();
        Workspace.Delete(folder);
    }

    public static async Task OfStoreAsync(string folder)
    {
        await using var store = await OpsStore<Item>.OpenAsync(folder, new OpsStoreOptions { JsonTypeInfo = ItemJson.Default.Item });
        var opened = Now();
        foreach (var item in store.Values)
            if (item.Title.Length == 0) return;
        ChildSections.Print([.. opened, .. Now()]);
    }

    public static void OfDictionary(int size)
    {
        // Parsed, as a store's documents are: every string is the document's own.
        var dictionary = new Dictionary<string, Item>(size);
        for (var i = 0; i < size; i++)
            dictionary[Items.Id(i)] = System.Text.Json.JsonSerializer.Deserialize(Items.Json(Items.Make(i)), ItemJson.Default.Item)!;
        ChildSections.Print(Now());
        GC.KeepAlive(dictionary);
    }

    private static void Row(Table table, string name, double[] figures, int size) =>
        table.Row(name, Figures.Text(figures[0] / size), Figures.Text(figures[1]), Figures.Text(figures[2]));

    private static double[] Now()
    {
        var managed = GC.GetTotalMemory(forceFullCollection: true);
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return [managed, Status("RssAnon:"), Status("VmRSS:")];
    }

    private static double Status(string name)
    {
        if (!OperatingSystem.IsLinux()) return Environment.WorkingSet / 1048576.0;
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return double.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1024;
    }
}
