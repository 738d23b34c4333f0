using System.Text;
using System.Text.Json;
using OpsLog.Cli;
using OpsLog.Cli.Apply;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.ManyWriters;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>
/// Goal: <c>apply</c> goes on when its store is fenced for good, with the very line that met it, and loses and repeats nothing.
/// Method: a store in memory that another opening takes over again and again, as only the opening without an agent lets happen on purpose.
/// </summary>
public sealed class ApplyStoreTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task A_fenced_store_is_opened_anew_and_the_line_is_applied(int concurrency)
    {
        var disk = new MemoryStorage();
        var reopened = 0;
        await using var stores = new ApplyStore(await OpenAsync(disk), async () =>
        {
            reopened++;
            return await OpenAsync(disk);
        }, _ => { }, default);
        using var acknowledged = new MemoryStream();
        for (var round = 1; round <= 3; round++)
        {
            await using (var other = await Lab.OpenAsync(disk, Lab.Options(o => o.Durability = Durability.Os))) await other.SetAsync($"other-{round}", Lab.Doc(round));
            var lines = new LineReader(new MemoryStream(Encoding.UTF8.GetBytes(Lines(round))));
            var acknowledgements = new AckWriter(acknowledged, atOnce: true);
            await new ApplyRun(lines, "batch", new ApplyTarget(stores, acknowledgements), acknowledgements, concurrency, refreshEvery: 2).RunAsync(default);
            Assert.Equal(round, reopened);
        }

        Assert.Equal(3, stores.Fenced);
        var numbers = Encoding.UTF8.GetString(acknowledged.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse);
        Assert.Equal(Enumerable.Range(1, 6).SelectMany(n => new[] { n, n, n }), numbers.Order());
        var state = await Lab.StateAsync(disk);
        for (var round = 1; round <= 3; round++)
        {
            Assert.Contains($"other-{round} = {{\"n\":{round}}}", state, StringComparison.Ordinal);
            for (var n = 1; n <= 5; n++) Assert.Contains($"key-{round}-{n} = {{\"n\":{n}}}", state, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("gone", state, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_only_writer_that_is_fenced_ends_with_its_line()
    {
        var disk = new MemoryStorage();
        await using var stores = new ApplyStore(await OpenAsync(disk), reopen: null, _ => { }, default);
        await using (var other = await Lab.OpenAsync(disk)) await other.SetAsync("other", Lab.Doc(1));
        var acknowledgements = new AckWriter(null, atOnce: true);
        var run = new ApplyRun(
            new LineReader(new MemoryStream("""{"id":"a","data":{}}"""u8.ToArray())), null, new ApplyTarget(stores, acknowledgements), acknowledgements, 1, refreshEvery: 0);
        var failure = await Assert.ThrowsAsync<InputLineException>(() => run.RunAsync(default));
        Assert.Equal((1, 3), (failure.Line, ExitCode.Of(failure)));
    }

    [Fact]
    public async Task Who_is_fenced_without_end_gives_up_and_says_so()
    {
        var disk = new MemoryStorage();
        var opened = 0;
        await using var stores = new ApplyStore(await OpenAsync(disk), async () =>
        {
            opened++;
            return await OpenAsync(disk);
        }, _ => { }, default);
        var refusal = await Lab.RefusedAsync(OpsLogError.Fenced, async Task () => await stores.CallAsync<int, int>(
            (_, _) => throw new OpsLogException(OpsLogError.Fenced, "Fenced again."), 0));
        Assert.Equal("Fenced again.", refusal.Message);
        Assert.InRange(opened, 2, 20);
    }

    /// <summary>A process that was stopped while it changed the manifest goes on some day.</summary>
    [Fact]
    public async Task Where_many_write_a_held_manifest_is_waited_for_and_said()
    {
        var held = new HeldStorage(new MemoryStorage());
        var reports = new List<string>();
        await using var stores = new ApplyStore(await OpenAgentAsync(held), () => throw new InvalidOperationException("It is not opened anew."), message =>
        {
            reports.Add(message);
            held.Holds = reports.Count < 3;
        }, default);
        held.Holds = true;
        await stores.CallAsync(static (store, n) => store.SetAsync("k", Lab.Doc(n)), 1);
        Assert.Equal(3, reports.Count);
        Assert.All(reports, report => Assert.Contains("process 42", report, StringComparison.Ordinal));
        Assert.Equal("k = {\"n\":1}", await Lab.StateAsync(held));
    }

    [Fact]
    public async Task The_waiting_for_a_held_manifest_can_be_ended()
    {
        var held = new HeldStorage(new MemoryStorage());
        using var ended = new CancellationTokenSource();
        await using var stores = new ApplyStore(await OpenAgentAsync(held), () => throw new InvalidOperationException("It is not opened anew."), _ => ended.Cancel(), ended.Token);
        held.Holds = true;
        var refusal = await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await stores.CallAsync(static (store, n) => store.SetAsync("k", Lab.Doc(n)), 1));
        Assert.True(refusal.IsTransient);
        held.Holds = false;
    }

    private static string Lines(int round) => string.Join('\n', (string[])
    [
        $$$"""{"id":"key-{{{round}}}-1","data":{"n":1}}""",
        $$$"""{"id":"key-{{{round}}}-2","data":{"n":2},"batch":1}""",
        $$$"""{"id":"key-{{{round}}}-3","data":{"n":3},"batch":1}""",
        """{"op":"delete","id":"gone"}""",
        $$$"""{"op":"batch","ops":[{"op":"set","id":"key-{{{round}}}-4","data":{"n":4}},{"op":"set","id":"gone","data":{}},{"op":"delete","id":"gone"}]}""",
        $$$"""{"id":"key-{{{round}}}-5","data":{"n":5}}""",
    ]);

    private static ValueTask<OpenedStore> OpenAgentAsync(IOpsStorage storage) =>
        OpenedStore.OpenAsync(storage, Lab.Options(o => (o.AgentId, o.TimeProvider) = ("A", new HastyTime())), default);

    private static ValueTask<OpenedStore> OpenAsync(MemoryStorage disk) =>
        OpenedStore.OpenAsync(disk, Lab.Options(o => o.Durability = Durability.Os), default);
}
