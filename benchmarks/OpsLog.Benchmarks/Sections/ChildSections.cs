using System.Diagnostics;
using System.Globalization;

namespace OpsLog.Benchmarks.Sections;

/// <summary>What runs in a fresh process and prints its figures.</summary>
internal static class ChildSections
{
    public const string Prefix = "child";
    public const string Lines = "lines";
    public const string Open = "open";
    public const string OpenReadOnly = "open-read-only";
    public const string OpenAndScan = "open-and-scan";
    public const string Killed = "killed";
    public const string MemoryOfStore = "memory-store";
    public const string MemoryOfDictionary = "memory-dictionary";

    public static async Task<int> RunAsync(string[] arguments)
    {
        var start = Stopwatch.GetTimestamp();
        var folder = arguments[2];
        switch (arguments[1])
        {
            case Lines:
                FindLines(Directory.GetFiles(Path.Join(folder, "snapshots"))[0]);
                Print(Figures.Milliseconds(start));
                return 0;
            case Open or OpenReadOnly:
                await using (var store = await OpsStore<Item>.OpenAsync(folder, Options(arguments[1] == OpenReadOnly)))
                {
                    if (!store.ContainsKey(Items.Id(0))) return 1;
                    Print(Figures.Milliseconds(start));
                }

                return 0;
            case OpenAndScan:
                await using (var store = await OpsStore<Item>.OpenAsync(folder, Options(readOnly: true)))
                {
                    if (store.Values.Sum(item => item.Priority) == 0) return 1;
                    Print(Figures.Milliseconds(start));
                }

                return 0;
            case Killed:
                var killed = await Stores.OpenAsync(folder);
                await Stores.FillAsync(killed, Number(arguments[3]));
                Print(0);
                Process.GetCurrentProcess().Kill();
                return 0;
            case MemoryOfStore:
                await Memory.OfStoreAsync(folder);
                return 0;
            case MemoryOfDictionary:
                Memory.OfDictionary(Number(arguments[3]));
                return 0;
            default:
                return 2;
        }
    }

    public static void Print(params double[] figures)
    {
        Console.WriteLine(string.Join(' ', figures.Select(f => f.ToString("R", CultureInfo.InvariantCulture))));
        Console.Out.Flush();
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static OpsStoreOptions Options(bool readOnly) => new() { JsonTypeInfo = ItemJson.Default.Item, ReadOnly = readOnly };

    private static void FindLines(string path)
    {
        using var file = File.OpenHandle(path);
        var buffer = new byte[256 << 10];
        long lines = 0;
        int read;
        for (long at = 0; (read = RandomAccess.Read(file, buffer, at)) > 0; at += read)
            lines += buffer.AsSpan(0, read).Count((byte)'\n');
        if (lines == 0) throw new InvalidDataException("There is nothing to find.");
    }
}
