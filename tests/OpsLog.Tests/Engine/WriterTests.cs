using System.Text;
using OpsLog.Engine;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: a group is as good as its requests one by one. Method: a writer over memory, with a request that breaks half-way.</summary>
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
