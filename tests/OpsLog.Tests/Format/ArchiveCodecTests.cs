using System.Buffers;
using CsCheck;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>Archive segments and the history index: objects that carry a checksum of themselves.</summary>
public class ArchiveCodecTests
{
    private static byte[] Write(string period, params (string Id, string Document, Stamp Stamp)[] records)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new ArchiveWriter(output, period, "2026-11-23T06:16:05.123Z", 2);
        foreach (var (id, document, stamp) in records) writer.Add(Samples.Wtf8(id), Samples.Utf8(document), stamp);
        writer.End();
        return output.WrittenSpan.ToArray();
    }

    private static readonly byte[] Sample = Write("2026-Q4", ("a", "{\"n\":1}", new Stamp(5, "", "ops/x.jsonl")), ("b\n", "{}", new Stamp(6, "é", "l")));

    private static readonly HistoryLog Log = new("ops/ops-r000000000001-0123abcd.jsonl", "é", 900, 2, 0, 9, 7, "2026-11-23T06:16:05.123Z", "", 3);

    [Fact]
    public void A_segment_is_written_to_the_letter()
        => Assert.Equal(
            """
            {
              "version": 1,
              "period": "2026-Q4",
              "timestamp": "2026-11-23T06:16:05.123Z",
              "records": {
                "a": {"n":1},
                "b\n": {}
              },
              "opslog": {
                "format": 1,
                "schema": 2,
                "stamps": [[5,"","ops/x.jsonl"],[6,"é","l"]],
                "crc": "ac662d74"
              }
            }
            """,
            Samples.ToText(Sample));

    [Fact]
    public void A_segment_comes_back_as_it_was_written()
        => Gen.Select(Samples.Text.Where(t => t.Length > 0), Gen.Select(Samples.AnyText, Samples.Document, Samples.Stamp).Array[0, 5]).Sample((period, rows) =>
        {
            var records = rows.DistinctBy(r => r.Item1).ToArray();
            var bytes = Write(period, records);
            var spread = Samples.Utf8(Samples.Spread(Samples.ToText(bytes)));
            foreach (var form in new[] { bytes, spread })
            {
                Assert.True(ArchiveReader.TryOpen(form, out var reader, out var fault), fault);
                Assert.Equal(new ArchiveHeader(period, "2026-11-23T06:16:05.123Z", 1, 2), reader.Header);
                foreach (var (id, document, stamp) in records)
                {
                    Assert.True(reader.Read(out var record, out var read));
                    Assert.Equal((id, stamp), (record.Id(), read!.Value));
                    var data = record.Data.ToArray();
                    Assert.Equal(document, Samples.ToText(data.AsSpan(0, JsonLines.Minify(data, data))));
                }

                Assert.False(reader.Read(out _, out _));
            }
        });

    [Fact]
    public void A_document_with_whitespace_is_written_without()
        => Assert.True(ArchiveReader.TryOpen(Write("p", ("a", "{ \"n\" : [ 1 ] }", default(Stamp) with { Agent = "", Log = "" })), out _, out _));

    [Fact]
    public void The_packages_segment_is_read()
    {
        Assert.True(ArchiveReader.TryOpen("{\n  \"version\": 1,\n  \"period\": \"2024-Q3\",\n  \"timestamp\": \"t\",\n  \"records\": {\n    \"10\": {\n      \"n\": 0\n    }\n  }\n}"u8, out var reader, out _));
        Assert.Equal(new ArchiveHeader("2024-Q3", "t", null, 0), reader.Header);
        Assert.True(reader.Read(out var record, out var stamp));
        Assert.Equal("10", record.Id());
        Assert.Null(stamp);
        Assert.False(reader.Read(out _, out _));
    }

    [Fact]
    public void A_record_that_looks_like_a_checksum_is_a_record()
        => Assert.True(ArchiveReader.TryOpen("""{"version":1,"period":"p","timestamp":"t","records":{"a":1,"crc":"01234567"}}"""u8, out _, out _));

    [Fact]
    public void V7_every_flipped_bit_of_a_segment_is_seen()
    {
        foreach (var (bit, bytes) in Samples.Flips(Sample))
        {
            Assert.False(ArchiveReader.TryOpen(bytes, out _, out var fault), $"byte {bit / 8}: {Samples.ToText(bytes)}");
            Assert.NotEmpty(fault);
        }
    }

    [Fact]
    public void V7_a_segment_cut_anywhere_is_seen()
    {
        for (var length = 0; length < Sample.Length; length++) Assert.False(ArchiveReader.TryOpen(Sample.AsSpan(0, length), out _, out _));
    }

    [Theory]
    [InlineData("""{"period":"p","timestamp":"t","records":{}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{}}""")]
    [InlineData("""{"version":1,"period":"","timestamp":"t","records":{}}""")]
    [InlineData("""{"version":1,"period":"p","records":{}}""")]
    [InlineData("""{"version":1,"period":"p","timestamp":"t"}""")]
    [InlineData("""{"version":1,"period":"p","timestamp":"t","records":[]}""")]
    [InlineData("""{"version":1,"period":"p","timestamp":"t","records":{},"opslog":{"format":1,"schema":1,"stamps":[]}}""")]
    [InlineData("""{"version":1,"period":"p","timestamp":"t","records":{},"opslog":{"crc":"00000000"}}""")]
    [InlineData("[]")]
    public void A_segment_that_is_none_is_refused(string text)
    {
        Assert.False(ArchiveReader.TryOpen(Samples.Utf8(text), out _, out var fault));
        Assert.NotEmpty(fault);
    }

    [Fact]
    public void The_history_index_comes_back_as_it_was_written()
    {
        var bytes = HistoryIndexCodec.Write([Log, Log with { Name = "x", Pieces = 0 }]);
        Assert.StartsWith(
            """{"format":1,"logs":[{"name":"ops/ops-r000000000001-0123abcd.jsonl","agent":"é","length":900,"schema":2,"startClock":0,"endClock":9,"operations":7,"firstTime":"2026-11-23T06:16:05.123Z","lastTime":"","pieces":3},""",
            Samples.ToText(bytes),
            StringComparison.Ordinal);
        Assert.True(HistoryIndexCodec.TryRead(bytes, out var logs, out var fault), fault);
        Assert.Equal([Log, Log with { Name = "x", Pieces = 0 }], logs);
        Assert.True(HistoryIndexCodec.TryRead(HistoryIndexCodec.Write([]), out logs, out _) && logs.Count == 0);
    }

    [Fact]
    public void V7_every_flipped_bit_of_the_history_index_is_seen()
    {
        var bytes = HistoryIndexCodec.Write([Log]);
        foreach (var (bit, flipped) in Samples.Flips(bytes[..^1])) Assert.False(HistoryIndexCodec.TryRead(flipped, out _, out _), $"byte {bit / 8}");
        for (var length = 0; length < bytes.Length - 1; length++) Assert.False(HistoryIndexCodec.TryRead(bytes.AsSpan(0, length), out _, out _));
    }

    [Theory]
    [InlineData("""{"format":2,"logs":[]""")]
    [InlineData("""{"format":1""")]
    [InlineData("""{"logs":[]""")]
    [InlineData("""{"format":1,"logs":[{"name":"../x","schema":1}]""")]
    [InlineData("""{"format":1,"logs":[{"name":"x"}]""")]
    [InlineData("""{"format":1,"logs":[5]""")]
    [InlineData("""{"format":1,"logs":[}""")]
    public void An_index_that_is_none_is_refused(string open)
    {
        var bytes = Samples.Utf8($"{open},\"crc\":\"{JsonLines.Hex(JsonLines.Checksum(Samples.Utf8(open)))}\"}}");
        Assert.False(HistoryIndexCodec.TryRead(bytes, out _, out var fault));
        Assert.NotEmpty(fault);
    }
}
