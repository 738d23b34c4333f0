using System.Globalization;
using System.Text;
using OpsLog.Engine;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: memory holds what is needed and little besides. Method: lines as long as many, and an agent that has to bring another's lines into its own form for ever.</summary>
public sealed class MemoryKeptTests
{
    [Fact]
    public void A_long_line_takes_the_memory_it_needs()
    {
        const int length = 32 << 20;
        var extent = new Extent("ops/x", [StampSource.SingleWriter]);
        var buffer = new LogBuffer(extent, 0, WriteLimits.Default);
        buffer.Write(Draft(300), 0);
        buffer.Close();
        buffer.Write(Draft(length), 0);
        Assert.InRange(extent.Bytes, length, length + (1 << 20));
    }

    [Fact]
    public void Long_lines_of_one_group_are_not_copied_for_each_of_them()
    {
        const int length = 10 << 20, count = 16;
        var extent = new Extent("ops/x", [StampSource.SingleWriter]);
        var buffer = new LogBuffer(extent, 0, WriteLimits.Default);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var draft = Draft(length);
        for (var i = 0; i < count; i++) buffer.Write(draft, 0);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, count * length, 5L * count * length);
        Assert.InRange(buffer.Group.Length, count * length, (count + 1) * length);
    }

    [Fact]
    public async Task What_a_reader_brings_into_its_own_form_goes_when_a_snapshot_has_it()
    {
        const int records = 100, length = 50_000, rounds = 30;
        var disk = new MemoryStorage();
        await using var writer = await Lab.OpenAsync(disk, Lab.Options(o => (o.AgentId, o.Durability) = ("a", Durability.Buffered)));
        await writer.SetAsync("first", Lab.Doc(1));
        await writer.FlushAsync();
        var reader = await StoreEngine.OpenAsync(disk, false, new EngineSettings(Lab.ReadOnly(o => (o.SchemaVersion, o.Migrate) = (2, (node, _) => node))), TestContext.Current.CancellationToken);
        for (var round = 0; round < rounds; round++)
        {
            var document = StoreReading.Element(string.Create(CultureInfo.InvariantCulture, $"{{\"n\":{round},\"text\":\"{new string('x', length)}\"}}"));
            for (var i = 0; i < records; i++) await writer.SetAsync(string.Create(CultureInfo.InvariantCulture, $"id-{i}"), document);
            await writer.CompactAsync();
            await reader.RefreshAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal(records + 1, reader.State.Records.Count);
        Assert.True(reader.TryReadDocument("id-7", out var json, out _));
        Assert.StartsWith("{\"n\":29,", Encoding.UTF8.GetString(json.Span), StringComparison.Ordinal);
        Assert.InRange(reader.State.Extents.Bytes, records * length, 100 << 20); // 150 MB and more went through it
        await reader.DisposeAsync();
    }

    private static OperationDraft Draft(int length) => new()
    {
        Timestamp24 = "2026-01-01T00:00:00.000Z"u8,
        IdWtf8 = "x"u8,
        Prev = "null"u8,
        Data = Encoding.ASCII.GetBytes($"{{\"text\":\"{new string('x', length)}\"}}"),
        Clock = 1,
    };
}
