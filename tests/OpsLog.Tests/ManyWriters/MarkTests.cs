using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: an undo that changes nothing, and only marks, is read as that: it replaced no value. Method: B deletes what A wrote, then A takes its write back; and B overwrites it.
/// Read with a type that an empty object is not.
/// </summary>
public sealed class MarkTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_delete_that_only_marks_has_no_previous_value(int version)
    {
        var disk = new MemoryStorage();
        var a = await OpenAsync(disk, "A");
        await using (var b = await OpenAsync(disk, "B"))
        {
            await a.SetAsync("k", new Named { Name = "one" });
            await b.RefreshAsync();
            await b.DeleteAsync("k");
            await a.RefreshAsync();
            Assert.True(await a.UndoAsync());
            Assert.Empty(a);
        }

        await a.DisposeAsync();
        await using var reader = await OpsStore<Named>.OpenAsync(disk, Lab.ReadOnly(o =>
        {
            o.SchemaVersion = version;
            o.Migrate = (node, _) => new JsonObject { ["name"] = node!["name"]!.GetValue<string>() };
        }));
        var operations = new List<Operation<Named>>();
        await foreach (var operation in reader.HistoryAsync("k")) operations.Add(operation);
        Assert.Equal([OperationKind.Set, OperationKind.Delete, OperationKind.Delete], operations.Select(o => o.Kind));
        Assert.Equal([false, true, false], operations.Select(o => o.HasPrevious));
        Assert.Equal("one", operations[1].Previous!.Name);
        Assert.Equal((OperationMark.Undo, operations[0].Revision), (operations[2].Mark, operations[2].Marked));
        Assert.Equal([false, false, true], operations.Select(o => o.IsMarkOnly));

        var seen = 0;
        await foreach (var change in reader.WatchAsync(FeedPosition.Start))
            if (++seen == 3) break;
        Assert.Equal(3, seen);
    }

    [Fact]
    public async Task A_set_that_only_marks_says_so_and_shows_what_shows()
    {
        var disk = new MemoryStorage();
        await using var a = await OpenAsync(disk, "A");
        await using var b = await OpenAsync(disk, "B");
        await a.SetAsync("k", new Named { Name = "one" });
        await b.RefreshAsync();
        var shown = await b.SetAsync("k", new Named { Name = "two" });
        await a.RefreshAsync();
        Assert.True(await a.UndoAsync());
        Assert.True(a.TryGet("k", out var value, out var revision));
        Assert.Equal(("two", shown), (value.Name, revision));
        var operations = new List<Operation<Named>>();
        await foreach (var operation in a.OperationsAsync()) operations.Add(operation);
        Assert.Equal([false, false, true], operations.Select(o => o.IsMarkOnly));
        Assert.Equal(("two", true, "two"), (operations[2].Value!.Name, operations[2].HasPrevious, operations[2].Previous!.Name));
    }

    private static ValueTask<OpsStore<Named>> OpenAsync(IOpsStorage storage, string agent) => OpsStore<Named>.OpenAsync(storage, Lab.Options(o => o.AgentId = agent));

    private sealed class Named
    {
        public required string Name { get; init; }
    }
}
