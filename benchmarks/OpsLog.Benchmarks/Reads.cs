using BenchmarkDotNet.Attributes;
using OpsLog.Documents;
using OpsLog.Storage;

namespace OpsLog.Benchmarks;

/// <summary>Reads of documents that have been made.</summary>
public class Get
{
    private const int Records = 100_000;
    private readonly string[] _order = [.. Enumerable.Range(0, 4096).Select(i => Items.Id((int)(i * 2654435761L % Records)))];
    private OpsStore<Item> _store = null!;
    private Dictionary<string, Item> _dictionary = null!;
    private int _next;

    [GlobalSetup]
    public void Open()
    {
        _store = Stores.Open(new MemoryStorage());
        Stores.Fill(_store, Records);
        _dictionary = _store.ToDictionary(StringComparer.Ordinal);
    }

    [Benchmark(Baseline = true)]
    public int Dictionary() => _dictionary[_order[_next++ & 4095]].Priority;

    [Benchmark]
    public int Store() => _store[_order[_next++ & 4095]].Priority;

    [Benchmark]
    public bool WithRevision() => _store.TryGet(_order[_next++ & 4095], out _, out _);

    [Benchmark]
    public bool Json() => _store.TryGetJson(_order[_next++ & 4095], out _);
}

/// <summary>Going through all documents, made already.</summary>
public class Enumerate
{
    private const int Records = 100_000;
    private OpsStore<Item> _store = null!;
    private Dictionary<string, Item> _dictionary = null!;

    [GlobalSetup]
    public void Open()
    {
        _store = Stores.Open(new MemoryStorage());
        Stores.Fill(_store, Records);
        _dictionary = _store.ToDictionary(StringComparer.Ordinal);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Records)]
    public int Dictionary()
    {
        var count = 0;
        foreach (var item in _dictionary.Values)
            if (item.Priority > 3) count++;
        return count;
    }

    [Benchmark(OperationsPerInvoke = Records)]
    public int Values()
    {
        var count = 0;
        foreach (var item in _store.Values)
            if (item.Priority > 3) count++;
        return count;
    }

    [Benchmark(OperationsPerInvoke = Records)]
    public int ValuesByLinq() => _store.Values.Count(item => item.Priority > 3);

    [Benchmark(OperationsPerInvoke = Records)]
    public int WithIds() => _store.Count(record => record.Value.Priority > 3);

    [Benchmark(OperationsPerInvoke = Records)]
    public int View() => _store.View().Count(record => record.Value.Priority > 3);
}

/// <summary>What an id has been.</summary>
public class History
{
    private OpsStore<Item> _store = null!;

    [Params(10, 100)]
    public int Versions { get; set; }

    [GlobalSetup]
    public async Task OpenAsync()
    {
        _store = Stores.Open(new MemoryStorage());
        for (var version = 0; version < Versions; version++) await _store.SetAsync(Items.Id(1), Items.Make(1, version));
        Stores.Fill(_store, 1000);
    }

    [Benchmark]
    public async Task<int> OfOneRecord()
    {
        var count = 0;
        await foreach (var _ in _store.HistoryAsync(Items.Id(1))) count++;
        return count;
    }

    [Benchmark]
    public async Task<int> AllOperations()
    {
        var count = 0;
        await foreach (var _ in _store.OperationsAsync()) count++;
        return count;
    }
}
