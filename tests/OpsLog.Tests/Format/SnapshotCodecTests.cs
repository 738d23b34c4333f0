using System.Buffers;
using System.Text.Json;
using CsCheck;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>Both layouts of a snapshot, ours and the package's.</summary>
public class SnapshotCodecTests
{
    private static readonly SnapshotHeader Header = new()
    {
        SchemaVersion = 2,
        Timestamp = "2026-11-23T06:16:05.123Z",
        Format = 1,
        Count = 2,
        Floor = 3,
        Logs = [new LogName("ops/ops-r000000000001-0123abcd.jsonl", ""), new LogName("", "")],
        Tombstones = [new Tombstone("gone\"\ud800", 7, 0)],
    };

    private static byte[] Line(SnapshotHeader header)
    {
        var output = new ArrayBufferWriter<byte>();
        SnapshotCodec.WriteHeader(output, header);
        Assert.Equal((byte)'\n', output.WrittenSpan[^1]);
        return output.WrittenSpan[..^1].ToArray();
    }

    private static byte[] Record(string id, string document, long clock, int log, out int dataStart)
    {
        var line = new byte[SnapshotCodec.MaxRecordLength(Samples.Wtf8(id).Length, Samples.Utf8(document).Length)];
        var written = SnapshotCodec.WriteRecord(line, Samples.Wtf8(id), Samples.Utf8(document), clock, log, out dataStart);
        Assert.Equal((byte)'\n', line[written - 1]);
        return line[..(written - 1)];
    }

    private static byte[] WriteJson(SnapshotHeader header, params (string Id, string Document, long Clock, int Log)[] records)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new JsonSnapshotWriter(output, header);
        foreach (var (id, document, clock, log) in records) writer.Add(Samples.Wtf8(id), Samples.Utf8(document), clock, log);
        writer.End();
        return output.WrittenSpan.ToArray();
    }

    private static void AssertSame(SnapshotHeader expected, SnapshotHeader actual)
    {
        Assert.Equal(expected with { Logs = [], Tombstones = [] }, actual with { Logs = [], Tombstones = [] });
        Assert.Equal(expected.Logs, actual.Logs);
        Assert.Equal(expected.Tombstones, actual.Tombstones);
    }

    [Fact]
    public void A_header_is_written_to_the_letter()
    {
        var text = Samples.ToText(Line(Header));
        Assert.Equal(
            """{"version":2,"timestamp":"2026-11-23T06:16:05.123Z","format":1,"count":2,"floor":3,"logs":[{"name":"ops/ops-r000000000001-0123abcd.jsonl","agent":""},{"name":"","agent":""}],"tombstones":[["gone\"\ud800",7,0]]""",
            text[..^JsonLines.ChecksumTail]);
        Assert.DoesNotContain("\"records\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_header_comes_back_as_it_was_written()
        => Gen.Select(Gen.Int[1, int.MaxValue], Gen.Long[0, Stamp.MaxClock], Gen.Select(Samples.AnyText, Samples.AnyText).Array[1, 4], Gen.Select(Samples.AnyText, Gen.Long[0, Stamp.MaxClock]).Array[0, 5]).Sample((schema, floor, logs, tombstones) =>
        {
            var header = new SnapshotHeader
            {
                SchemaVersion = schema,
                Timestamp = "t",
                Format = 1,
                Count = floor,
                Floor = floor,
                Logs = [.. logs.Select(l => new LogName(l.Item1, l.Item2))],
                Tombstones = [.. tombstones.Select((t, i) => new Tombstone(t.Item1, t.Item2, i % logs.Length))],
            };
            Assert.True(SnapshotCodec.TryReadHeader(Line(header), out var read, out var fault), fault);
            AssertSame(header, read!);
        });

    [Fact]
    public void The_packages_header_is_read()
    {
        Assert.True(SnapshotCodec.TryReadHeader("""{"version":3,"timestamp":"2026-11-23T00:39:34.321Z"}"""u8, out var header, out _));
        Assert.Equal((3, "2026-11-23T00:39:34.321Z", (int?)null, (long?)null, 0L, 0, 0), (header!.SchemaVersion, header.Timestamp, header.Format, header.Count, header.Floor, header.Logs.Count, header.Tombstones.Count));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"version":0,"timestamp":"t"}""")]
    [InlineData("""{"version":1.5,"timestamp":"t"}""")]
    [InlineData("""{"version":1,"timestamp":""}""")]
    [InlineData("""{"version":1,"timestamp":5}""")]
    [InlineData("""{"version":1,"timestamp":"t"}x""")]
    [InlineData("""{"version":1,"timestamp":"t","format":1,"count":0}""")]
    [InlineData("""{"version":1,"timestamp":"t","crc":"00000000"}""")]
    public void A_header_that_is_none_is_refused(string line)
    {
        Assert.False(SnapshotCodec.TryReadHeader(Samples.Utf8(line), out _, out var fault));
        Assert.NotEmpty(fault);
    }

    [Fact]
    public void V7_every_flipped_bit_of_a_snapshot_line_is_seen()
    {
        foreach (var (bit, bytes) in Samples.Flips(Line(Header))) Assert.False(SnapshotCodec.TryReadHeader(bytes, out _, out _), $"bit {bit}: {Samples.ToText(bytes)}");
        foreach (var (bit, bytes) in Samples.Flips(Record("id\n", "{\"a\":1,\"clock\":2}", 7, 0, out _)))
            Assert.True(SnapshotCodec.TryReadRecord(bytes, true, out _, out _) == LineVerdict.Corrupt, $"bit {bit}: {Samples.ToText(bytes)}");
    }

    [Fact]
    public void A_record_comes_back_as_it_was_written()
        => Gen.Select(Samples.AnyText, Samples.Document, Gen.Long[0, Stamp.MaxClock], Gen.Int[0, 100000]).Sample((id, document, clock, log) =>
        {
            var line = Record(id, document, clock, log, out var dataStart);
            Assert.Equal(LineVerdict.Operation, SnapshotCodec.TryReadRecord(line, true, out var read, out _));
            Assert.Equal((id, document, clock, log, dataStart), (read.Id(), Samples.ToText(read.Data), read.Clock, read.LogIndex, read.DataStart));
            var copy = new byte[read.RawId.Length];
            Assert.Equal(Samples.Wtf8(id), copy[..read.CopyId(copy)]);
            Assert.True(RecordTail.TryRead(line, out var tail));
            Assert.Equal((clock, log, read.DataEnd), (tail.Clock, tail.LogIndex, tail.Start));
            for (var length = 1; length < line.Length; length += 7) Assert.Equal(LineVerdict.Corrupt, SnapshotCodec.TryReadRecord(line.AsSpan(0, length), true, out _, out _));
        });

    [Fact]
    public void A_record_is_written_to_the_letter()
        => Assert.Equal("""{"id":"a\nb","data":{"n":1},"clock":12,"log":3""", Samples.ToText(Record("a\nb", "{\"n\":1}", 12, 3, out _))[..^JsonLines.ChecksumTail]);

    [Theory]
    [InlineData("""{"id":"task-0","data":{"n":0}}""", "task-0", """{"n":0}""")]
    [InlineData(""" { "data" : null , "id" : "" } """, "", "null")]
    [InlineData("""{"id":"x","data":[1],"data":5,"more":{}}""", "x", "5")]
    public void The_packages_records_are_read(string line, string id, string document)
    {
        Assert.Equal(LineVerdict.Operation, SnapshotCodec.TryReadRecord(Samples.Utf8(line), false, out var read, out _));
        Assert.Equal((id, document, 0L, -1), (read.Id(), Samples.ToText(read.Data), read.Clock, read.LogIndex));
        Assert.Equal(LineVerdict.Corrupt, SnapshotCodec.TryReadRecord(Samples.Utf8(line), true, out _, out _));
    }

    [Theory]
    [InlineData("""{"id":"x"}""")]
    [InlineData("""{"data":{}}""")]
    [InlineData("""{"id":5,"data":{}}""")]
    [InlineData("""{"id":"x","data":{}""")]
    [InlineData("""{"id":"x","data":{}}}""")]
    [InlineData("7")]
    public void A_record_that_is_none_is_damage(string line)
    {
        Assert.Equal(LineVerdict.Corrupt, SnapshotCodec.TryReadRecord(Samples.Utf8(line), false, out _, out var fault));
        Assert.NotEmpty(fault);
    }

    [Theory]
    [InlineData("{\"version\":1,\"timestamp\":\"t\"}\n{\"id\":\"x\",\"data\":1}\n", false)]
    [InlineData("{\"version\":1,\"timestamp\":\"t\"}", false)]
    [InlineData("{\"version\":1,\"timestamp\":\"t\",\"deep\":{\"records\":1}}\n", false)]
    [InlineData("{\"version\":1,\"timestamp\":\"t\",\"records\":{}}", true)]
    [InlineData("{\"version\":1,\"timestamp\":\"t\",\"records\":{}}\n", true)]
    [InlineData("{\n  \"version\": 1,\n  \"timestamp\": \"t\",\n  \"records\": {}\n}", true)]
    [InlineData("not JSON\n", true)]
    public void The_layout_is_told_as_the_package_tells_it(string text, bool isJson)
    {
        var bytes = Samples.Utf8(text);
        Assert.Equal(isJson, SnapshotCodec.IsJsonLayout(bytes, isWhole: true));
        for (var length = 0; length < bytes.Length; length++)
            if (SnapshotCodec.IsJsonLayout(bytes.AsSpan(0, length), isWhole: false) is { } early)
                Assert.Equal(isJson, early);
    }

    [Fact]
    public void The_JSON_layout_is_written_to_the_letter()
    {
        var text = Samples.ToText(WriteJson(Header with { Logs = [new LogName("l", "a")] }, ("x", "{\"n\":1}", 5, 0), ("y", "{}", 6, 0)));
        Assert.Equal(
            """
            {
              "version": 2,
              "timestamp": "2026-11-23T06:16:05.123Z",
              "records": {
                "x": {"n":1},
                "y": {}
              },
              "opslog": {
                "format": 1,
                "count": 2,
                "floor": 3,
                "logs": [
                  {
                    "name": "l",
                    "agent": "a"
                  }
                ],
                "stamps": [[5,0],[6,0]],
                "tombstones": [["gone\"\ud800",7,0]]
              }
            }
            """,
            text);
        Assert.Contains("\"records\": {},", Samples.ToText(WriteJson(Header)), StringComparison.Ordinal);
    }

    [Fact]
    public void The_JSON_layout_comes_back_as_it_was_written()
        => Gen.Select(Samples.AnyText, Samples.Document, Gen.Long[0, Stamp.MaxClock], Gen.Int[0, 1]).Array[0, 6].Sample(rows =>
        {
            var records = rows.DistinctBy(r => r.Item1).ToArray();
            var bytes = WriteJson(Header, records);
            Assert.True(SnapshotCodec.IsJsonLayout(bytes, isWhole: true));
            foreach (var form in new[] { bytes, Minified(bytes) })
            {
                Assert.True(JsonSnapshotReader.TryOpen(form, out var reader, out var fault), fault);
                AssertSame(Header with { Count = records.Length }, reader.Header);
                foreach (var (id, document, clock, log) in records)
                {
                    Assert.True(reader.Read(out var read));
                    Assert.Equal((id, document, clock, log), (read.Id(), Samples.ToText(read.Data), read.Clock, read.LogIndex));
                }

                Assert.False(reader.Read(out _));
            }
        });

    [Fact]
    public void The_packages_JSON_layout_is_read()
    {
        Assert.True(JsonSnapshotReader.TryOpen("{\n  \"version\": 1,\n  \"timestamp\": \"t\",\n  \"records\": {\n    \"a\\nb\": {\n      \"n\": 3\n    },\n    \"null\": null\n  }\n}"u8, out var reader, out _));
        Assert.Null(reader.Header.Format);
        Assert.True(reader.Read(out var read));
        Assert.Equal(("a\nb", "{\n      \"n\": 3\n    }", 0L, -1), (read.Id(), Samples.ToText(read.Data), read.Clock, read.LogIndex));
        Assert.True(reader.Read(out read) && read.Id() == "null");
        Assert.False(reader.Read(out _));
    }

    [Theory]
    [InlineData("""{"version":1,"timestamp":"t"}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":[]}""")]
    [InlineData("""{"version":1,"records":{}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{}}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{},"opslog":{"format":1,"count":1,"stamps":[]}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{"a":1},"opslog":{"format":1,"count":1,"logs":[],"stamps":[[1,0]]}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{"a":1},"opslog":{"format":1,"count":1,"logs":[{"name":"","agent":""}],"stamps":[]}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{"a":1},"opslog":{"format":1,"count":1,"logs":[{"name":"","agent":""}],"stamps":[[1,0],[2,0]]}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{"a":1},"opslog":{"format":1,"count":1,"logs":[{"name":"","agent":""}],"stamps":[[-1,0]]}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{},"opslog":{"format":1,"count":0,"logs":[],"stamps":[],"tombstones":[["x",1,0]]}}""")]
    [InlineData("""{"version":1,"timestamp":"t","records":{},"opslog":5}""")]
    public void A_JSON_snapshot_that_is_none_is_refused(string text)
    {
        Assert.False(JsonSnapshotReader.TryOpen(Samples.Utf8(text), out _, out var fault));
        Assert.NotEmpty(fault);
    }

    [Fact]
    public void No_damage_makes_a_reader_throw()
    {
        foreach (var bytes in new[] { Line(Header), WriteJson(Header, ("x", "{\"n\":[1]}", 5, 0)) })
            foreach (var (_, flipped) in Samples.Flips(bytes))
            {
                SnapshotCodec.TryReadHeader(flipped, out _, out _);
                SnapshotCodec.IsJsonLayout(flipped, isWhole: true);
                if (!JsonSnapshotReader.TryOpen(flipped, out var reader, out _)) continue;
                while (reader.Read(out var read)) read.Id();
            }
    }

    [Fact]
    public void Records_are_JSON_that_means_the_same()
        => Gen.Select(Samples.Text, Samples.Document).Sample((id, document) =>
        {
            using var json = JsonDocument.Parse(Record(id, document, 1, 0, out _));
            Assert.Equal(id, json.RootElement.GetProperty("id").GetString());
            Assert.Equal(document, json.RootElement.GetProperty("data").GetRawText());
        });

    private static byte[] Minified(byte[] bytes)
    {
        var copy = new byte[bytes.Length];
        return copy[..JsonLines.Minify(bytes, copy)];
    }
}
