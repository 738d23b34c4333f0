using System.Globalization;
using System.Text;
using OpsLog.Engine;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a group is as good as its requests one by one, and memory that fell behind the log is built on no more. Method: a writer over memory, with a request that breaks half-way, and
/// an index that breaks in the middle of a batch.
/// </summary>
public sealed class WriterTests
{
    [Fact]
    public async Task A_request_that_fails_half_way_leaves_no_line_and_the_others_of_its_group_stand()
    {
        await using var storage = new MemoryStorage();
        var key = new StorageKey("ops/ops-r000000000001-00000000.jsonl");
        await storage.PutAsync(key, Stream.Null, PutCondition.IfAbsent, default);
        var state = new StoreState(1);
        var buffer = new LogBuffer(state.Extents.Add(new Extent(key.Value, [StampSource.SingleWriter])), 0, WriteLimits.Default);
        var writer = new Writer(state, new LogTarget(storage, key, 0, 0), buffer, new EngineSettings(new OpsStoreOptions()), () => { });
        var (before, broken, after) = (new Sets(["a", "b"], false), new Sets(["a", "c"], true), new Sets(["b", "d"], false));

        await writer.CommitAsync([before, broken, after]);

        before.ThrowIfFailed();
        after.ThrowIfFailed();
        Assert.Throws<InvalidDataException>(broken.ThrowIfFailed);
        await using var log = await storage.ReadAsync(key, ByteRange.All, default);
        var lines = Encoding.UTF8.GetString((await log!.ReadToEndAsync(default)).Span).TrimEnd('\n').Split('\n');
        Assert.Equal(["a", "b", "b", "d"], lines.Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("id").GetString()));
        Assert.Equal([1, 2, 3, 4], lines.Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("clock").GetInt64()));
        Assert.Equal(3, state.Records.Count);
    }

    [Theory]
    [InlineData(Durability.Disk)]
    [InlineData(Durability.Os)]
    [InlineData(Durability.Buffered)]
    public async Task A_writer_whose_memory_fell_behind_its_log_writes_nothing_more(Durability durability)
    {
        const int count = 2000; // a segment is divided on the way
        var storage = new MemoryStorage();
        var engine = await StoreEngine.OpenAsync(storage, false, new EngineSettings(Lab.Options(o => o.Durability = durability)), default);
        engine.State.Records.Splitting = () => throw new InsufficientMemoryException("none left");
        var batch = engine.NewBatch();
        for (var i = 0; i < count; i++) batch.Items.Add(new BatchItem(string.Create(CultureInfo.InvariantCulture, $"id-{i}"), new ArraySegment<byte>("{}"u8.ToArray())));
        Assert.Contains("none left", (await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await engine.BatchAsync(batch, default))).Message, StringComparison.Ordinal);
        engine.State.Records.Splitting = null;
        var set = engine.NewSet();
        set.Begin("more", null);
        "{}"u8.CopyTo(set.Document.GetSpan(2));
        set.Document.Advance(2);
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await engine.SetAsync(set, default));
        await Lab.RefusedAsync(OpsLogError.ReadOnly, () => engine.CompactAsync(default));
        if (durability == Durability.Buffered) await Lab.RefusedAsync(OpsLogError.ReadOnly, () => engine.DisposeAsync());
        else await engine.DisposeAsync();
        await using var reopened = await Lab.OpenAsync(storage);
        Assert.Equal(durability == Durability.Buffered ? 0 : count, reopened.Count);
    }

    private sealed class Sets(string[] ids, bool breaks) : CommitRequest
    {
        public override void Prepare(CommitGroup group)
        {
            for (var i = 0; i < ids.Length; i++)
                group.Write(new LineDraft { Id = ids[i], Kind = OperationKind.Set, Data = "{}"u8.ToArray(), BatchIndex = i, BatchSize = ids.Length });
            if (breaks) throw new InvalidDataException();
        }
    }
}
