using BenchmarkDotNet.Attributes;
using OpsLog.Documents;

namespace OpsLog.Benchmarks;

/// <summary>Opening, and what goes through the whole store.</summary>
public class Replay
{
    private readonly string _snapshot = Stores.NewFolder();
    private readonly string _log = Stores.NewFolder();
    private readonly string _agents = Stores.NewFolder();

    [Params(100_000)]
    public int Records { get; set; }

    [GlobalSetup]
    public async Task MakeAsync()
    {
        await using (var store = Stores.Open(_log)) Stores.Fill(store, Records);
        await using (var store = Stores.Open(_snapshot))
        {
            Stores.Fill(store, Records);
            await store.CompactAsync();
        }

        foreach (var agent in new[] { "a", "b" })
        {
            await using var store = Stores.Open(_agents, agent: agent);
            Stores.Fill(store, Records / 2);
        }
    }

    [GlobalCleanup]
    public void Delete()
    {
        foreach (var folder in new[] { _snapshot, _log, _agents }) Directory.Delete(folder, recursive: true);
    }

    [Benchmark]
    public ValueTask Snapshot() => Stores.Open(_snapshot).DisposeAsync();

    [Benchmark]
    public ValueTask Log() => Stores.Open(_log).DisposeAsync();

    /// <summary>The logs of two agents with half the operations each.</summary>
    [Benchmark]
    public ValueTask Merge() => Stores.Open(_agents, agent: "reader").DisposeAsync();
}

/// <summary>Writing the whole state anew.</summary>
public class Checkpoint
{
    private string _folder = "";
    private OpsStore<Item> _store = null!;

    [Params(10_000, 100_000)]
    public int Records { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _folder = Stores.NewFolder();
        _store = Stores.Open(_folder);
        Stores.Fill(_store, Records);
    }

    [GlobalCleanup]
    public void Close()
    {
        Stores.Close(_store);
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark]
    public async Task Compact()
    {
        await _store.SetAsync(Items.Id(1), Items.Make(1));
        await _store.CompactAsync();
    }
}

/// <summary>Taking in what another agent wrote.</summary>
public class Refresh
{
    private string _folder = "";
    private OpsStore<Item> _writer = null!;
    private OpsStore<Item> _reader = null!;
    private int _variant;

    [Params(10_000, 100_000)]
    public int Records { get; set; }

    [GlobalSetup]
    public async Task OpenAsync()
    {
        _folder = Stores.NewFolder();
        await using (var store = Stores.Open(_folder))
        {
            Stores.Fill(store, Records);
            await store.CompactAsync();
        }

        _writer = Stores.Open(_folder, agent: "writer");
        _reader = Stores.Open(_folder, agent: "reader");
    }

    [GlobalCleanup]
    public void Close()
    {
        Stores.Close(_writer);
        Stores.Close(_reader);
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark]
    public ValueTask<int> NothingNew() => _reader.RefreshAsync();

    /// <summary>A batch of 100 by the other, and the refresh.</summary>
    [Benchmark]
    public async Task<int> HundredNew()
    {
        _variant++;
        await _writer.BatchAsync(batch =>
        {
            for (var i = 0; i < 100; i++) batch.Set(Items.Id(i * (Records / 100)), Items.Make(i, _variant));
        });
        return await _reader.RefreshAsync();
    }
}
