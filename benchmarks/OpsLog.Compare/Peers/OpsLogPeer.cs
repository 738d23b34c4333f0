using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;

namespace OpsLog.Compare.Peers;

internal sealed class OpsLogPeer : StorePeer
{
    private const int News = 100;

    public override string Name => "OpsLog";

    public override string Version =>
        typeof(OpsStore<>).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public override string? Mode(Promise promise) => $"`{promise}`";

    public override bool Can(JobKind kind) => true;

    public override async ValueTask<IStore> OpenAsync(Job job) => new Store(await OpenAsync(job.Folder, job));

    public override Task<Outcome> RunAsync(Job job) => job.Kind switch
    {
        JobKind.Fill => FillAsync(job),
        JobKind.Refresh => RefreshAsync(job),
        JobKind.Merge => MergeAsync(job),
        JobKind.Checkpoint => CheckpointAsync(job),
        JobKind.Put when job.Promise == Promise.Disk => DurableAsync(job),
        _ => base.RunAsync(job),
    };

    private static ValueTask<OpsStore<Item>> OpenAsync(string folder, Job job, string? agent = null) => OpsStore<Item>.OpenAsync(folder, new OpsStoreOptions
    {
        JsonTypeInfo = ItemJson.Default.Item,
        AgentId = agent,
        Documents = job.OnDisk ? DocumentPlacement.OnDisk : DocumentPlacement.InMemory,
        Durability = job.Promise switch { Promise.Disk => Durability.Disk, Promise.Os => Durability.Os, _ => Durability.Buffered },
        // The default where checkpoints are part of what is measured.
        Checkpoint = new CheckpointOptions { Automatic = job.Kind is JobKind.Churn or JobKind.Update },
    });

    // Two agents' logs for a merge, else a snapshot; the log alone if the job says so.
    private static async Task<Outcome> FillAsync(Job job)
    {
        var start = Stopwatch.GetTimestamp();
        string?[] agents = job.Callers == 2 ? ["a", "b"] : [null];
        foreach (var agent in agents)
        {
            await using var store = await OpenAsync(job.Folder, job, agent);
            await StoreJobs.FillAsync(new Store(store), job);
            if (agent is null && !job.Update) await store.CompactAsync();
        }

        return new Outcome(Figures.Rate(job.Records * agents.Length, start));
    }

    private async Task<Outcome> DurableAsync(Job job)
    {
        Store? opened = null;
        var appending = 0.0;
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => { if (instrument.Name == "opslog.append.duration") l.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<double>((_, seconds, _, _) => appending += seconds); // one append at a time
        listener.Start();
        var outcome = await StoreJobs.RunAsync(new Opened(async () => opened = (Store)await OpenAsync(job)), job);
        var statistics = opened!.Inner.Statistics;
        if (job.Callers > 1) outcome.More["operations a sync"] = (double)statistics.Operations / statistics.Appends;
        outcome.More[StoreJobs.Appending] = 100 * appending / (statistics.Operations / outcome.Figure);
        return outcome;
    }

    private static async Task<Outcome> RefreshAsync(Job job)
    {
        const int WarmUp = 500, Times = 100;
        await using var writer = await OpenAsync(job.Folder, job, "writer");
        await using var reader = await OpenAsync(job.Folder, job, "reader");
        var random = new Random(job.Records);
        var times = new List<double>();
        for (var time = -WarmUp; time < Times; time++)
        {
            for (var i = 0; i < News; i++)
            {
                var number = random.Next(job.Records);
                await writer.SetAsync(Items.Id(number), Items.Make(number, Math.Abs(time)));
            }

            var start = Stopwatch.GetTimestamp();
            var taken = await reader.RefreshAsync();
            if (time >= 0) times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            if (taken != News) throw new InvalidDataException($"{taken} operations were taken in.");
        }

        const int Idle = 1000;
        for (var i = 0; i < 20 * Idle; i++) await reader.RefreshAsync(); // what is compiled at first allocates
        var (bytes, idle) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.GetTimestamp());
        for (var i = 0; i < Idle; i++) await reader.RefreshAsync();
        return new Outcome(Figures.Median(times))
        {
            More = { ["nothing new, µs"] = Figures.Nanoseconds(Idle, idle) / 1000, ["nothing new, B"] = (double)(GC.GetAllocatedBytesForCurrentThread() - bytes) / Idle },
        };
    }

    private static async Task<Outcome> MergeAsync(Job job)
    {
        var start = Stopwatch.GetTimestamp();
        await using var store = await OpenAsync(job.Folder, job, "reader");
        var rate = Figures.Rate(2L * job.Records, start);
        return store.Count == job.Records ? new Outcome(rate) : throw new InvalidDataException($"{store.Count} records instead of {job.Records}.");
    }

    private static async Task<Outcome> CheckpointAsync(Job job)
    {
        await using var store = await OpenAsync(job.Folder, job);
        await store.SetAsync(Items.Id(0), Items.Make(0, Environment.TickCount % 1000));
        if (!job.BesideWriter)
        {
            var alone = Stopwatch.GetTimestamp();
            await store.CompactAsync();
            return new Outcome(Figures.Milliseconds(alone));
        }

        var items = Items.Make(1000, 0, 1);
        var start = Stopwatch.GetTimestamp();
        var checkpoint = Task.Run(async () => await store.CompactAsync());
        double longest = 0;
        for (var i = 0; !checkpoint.IsCompleted; i = (i + 1) % items.Length)
        {
            var put = Stopwatch.GetTimestamp();
            await store.SetAsync(Items.Id(i), items[i]);
            longest = Math.Max(longest, Figures.Milliseconds(put));
        }

        await checkpoint;
        return new Outcome(Figures.Milliseconds(start)) { More = { ["longest put beside it, ms"] = longest } };
    }

    private sealed class Opened(Func<ValueTask<Store>> open) : StorePeer
    {
        public override string Name => "OpsLog";

        public override string Version => "";

        public override string? Mode(Promise promise) => null;

        public override async ValueTask<IStore> OpenAsync(Job job) => await open();
    }

    private sealed class Store(OpsStore<Item> store) : IStore
    {
        public OpsStore<Item> Inner => store;

        public async ValueTask SetAsync(string id, Item item) => await store.SetAsync(id, item);

        public ValueTask SetAllAsync(ReadOnlyMemory<KeyValuePair<string, Item>> batch) => store.BatchAsync(b =>
        {
            foreach (var (id, item) in batch.Span) b.Set(id, item);
        });

        public Item? Get(string id) => store.TryGetValue(id, out var item) ? item : null;

        public IEnumerable<Item> Documents => store.Values;

        public int CountAbove(int priority)
        {
            var count = 0;
            foreach (var item in store.Values)
                if (item.Priority > priority) count++;
            return count;
        }

        public ValueTask DisposeAsync() => store.DisposeAsync();
    }
}
