using BenchmarkDotNet.Attributes;
using OpsLog.Documents;

namespace OpsLog.Benchmarks;

/// <summary>Puts by one caller, in a folder.</summary>
public class Append
{
    private const int Records = 10_000;
    private readonly string[] _ids = Items.Ids(Records);
    private readonly Item[][] _items = [Items.Make(Records, 0, 0), Items.Make(Records, 0, 1)];
    private readonly List<KeyValuePair<string, Item>> _batch = [];
    private string _folder = "";
    private OpsStore<Item> _store = null!;
    private int _next;

    [Params(Durability.Os, Durability.Buffered)]
    public Durability Durability { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _folder = Stores.NewFolder();
        _store = Stores.Open(_folder, Durability);
        Stores.Fill(_store, Records);
        for (var i = 0; i < 100; i++) _batch.Add(new(_ids[i], _items[1][i]));
    }

    [GlobalCleanup]
    public void Close()
    {
        Stores.Close(_store);
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark]
    public async Task Update()
    {
        var i = _next++ % Records;
        await _store.SetAsync(_ids[i], _items[_next / Records % 2][i]);
    }

    [Benchmark]
    public async Task New() => await _store.SetAsync($"new-{_next++}", _items[0][_next % Records]);

    [Benchmark(OperationsPerInvoke = 100)]
    public async Task BatchOf100() => await _store.BatchAsync(batch =>
    {
        foreach (var (id, item) in _batch) batch.Set(id, item);
    });
}

/// <summary>Puts by many callers that share appends and syncs.</summary>
public class GroupCommit
{
    private const int Puts = 640;
    private readonly string[] _ids = Items.Ids(Puts);
    private readonly Item[] _items = Items.Make(Puts, 0, 0);
    private string _folder = "";
    private OpsStore<Item> _store = null!;

    [Params(1, 16, 64)]
    public int Callers { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _folder = Stores.NewFolder();
        _store = Stores.Open(_folder, Durability.Disk);
    }

    [GlobalCleanup]
    public void Close()
    {
        Stores.Close(_store);
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark(OperationsPerInvoke = Puts)]
    public Task Durable() => Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
    {
        for (var i = caller; i < Puts; i += Callers) await _store.SetAsync(_ids[i], _items[i]);
    })));
}

/// <summary>A change and its taking back.</summary>
public class Undo
{
    private string _folder = "";
    private OpsStore<Item> _store = null!;
    private int _variant;

    [Params(1_000, 100_000)]
    public int Records { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _folder = Stores.NewFolder();
        _store = Stores.Open(_folder);
        Stores.Fill(_store, Records);
        _store.CompactAsync().AsTask().GetAwaiter().GetResult();
    }

    [GlobalCleanup]
    public void Close()
    {
        Stores.Close(_store);
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark]
    public async Task<bool> SetAndUndo()
    {
        await _store.SetAsync(Items.Id(7), Items.Make(7, ++_variant));
        return await _store.UndoAsync();
    }
}
