using System.Globalization;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>Lines without a checksum, as the npm package and people write them: the same ones count as in the package's own reader. All are lines of real stores or its rules, one by one.</summary>
public class PackageLineTests
{
    private static LineVerdict Read(string line, out OperationLine operation, out string fault, bool atStart = false)
        => OperationCodec.TryRead(Samples.Utf8(line), 0, atStart, out operation, out fault);

    [Fact]
    public void A_single_writers_set_is_read()
    {
        Assert.Equal(LineVerdict.Operation, Read("""{"ts":"2026-11-23T00:39:37.399Z","op":"set","id":"task-0","prev":null,"data":{"title":"Task 0","done":true,"n":0}}""", out var read, out var fault));
        Assert.Equal(("", OperationKind.Set, "task-0", -1L, "", false), (fault, read.Kind, read.Id(), read.Clock, read.Agent(), read.HasChecksum));
        Assert.Equal("""{"title":"Task 0","done":true,"n":0}""", Samples.ToText(read.Data));
        Assert.Equal("null", Samples.ToText(read.Prev));
        Assert.Equal("2026-11-23T00:39:37.399Z", Samples.ToText(read.Timestamp));
        Assert.False(read.HasPrev);
        Assert.Equal((0, 1, UndoMark.None), (read.BatchIndex, read.BatchSize, read.Mark));
        Assert.Null(read.MarkTo());
        Assert.Null(read.Segment());
        Assert.Null(read.Moved());
    }

    [Fact]
    public void An_agents_delete_is_read()
    {
        Assert.Equal(LineVerdict.Operation, Read("""{"ts":"2026-11-23T00:39:47.714Z","op":"delete","id":"t","prev":{"n":0},"agent":"beta","clock":2}""", out var read, out _));
        Assert.Equal((OperationKind.Delete, 2L, "beta", 0, 0), (read.Kind, read.Clock, read.Agent(), read.DataStart, read.DataEnd));
        Assert.Equal("""{"n":0}""", Samples.ToText(read.Prev));
    }

    [Fact]
    public void A_delta_is_read()
    {
        Assert.Equal(LineVerdict.Operation, Read("""{"ts":"2026-11-23T00:39:24.997Z","op":"set","id":"doc","prev":{"$unset":["added"]},"data":{"a":"changed 3","added":{"deep":[1,2]}},"encoding":"delta"}""", out var read, out _));
        Assert.True(read.PrevIsDelta);
        Assert.Equal("""{"$unset":["added"]}""", Samples.ToText(read.Prev));
    }

    [Theory]
    [InlineData("""{"ts":"2024-01-01T00:00:00.000Z","op":"set","id":"ok5","prev":null,"data":false}""", "ok5", "false", -1)]
    [InlineData("""{"ts":"2024-01-01T00:00:00.000Z","op":"set","id":"ok3","prev":{"x":0},"data":[1,2],"encoding":"full","clock":1e3,"agent":"x"}""", "ok3", "[1,2]", 1000)]
    [InlineData("""{"ts":"2024-01-01T00:00:00.000Z","op":"set","id":"ok4","prev":null,"data":{"x":1},"data":{"x":2}}""", "ok4", """{"x":2}""", -1)]
    [InlineData("""{"ts":"not a date","op":"set","id":"ok1","prev":null,"data":{"x":1}}""", "ok1", """{"x":1}""", -1)]
    [InlineData("""  {"op":"set","id":"ok2","data":{"x":2},"prev":null,"ts":"2024-01-01T00:00:00.000Z","extra":true}  """, "ok2", """{"x":2}""", -1)]
    [InlineData("{\"ts\":\"t\",\"op\":\"set\",\"id\":\"crlf\",\"prev\":null,\"data\":{}}\r", "crlf", "{}", -1)]
    [InlineData("""{"ts":"t","op":"set","id":"\u0061\n\ud83d\ude00","prev":null,"data":"text","clock":9007199254740991}""", "a\n😀", "\"text\"", 9007199254740991)]
    [InlineData("""{"\u0074s":"t","op":"set","id":"x","prev":null,"data":{"n":1e400,"n":-0},"clock":-0}""", "x", """{"n":1e400,"n":-0}""", 0)]
    [InlineData("""{"ts":"t","op":"set","id":"x","prev":null,"data":{"clock":1,"crc":"00000000"},"clock":2.0}""", "x", """{"clock":1,"crc":"00000000"}""", 2)]
    [InlineData("""{"ts":"t","op":"set","id":"r2","prev":null,"data":{"prev":null,"data":{"data":{}},"op":"delete","id":"other"}}""", "r2", """{"prev":null,"data":{"data":{}},"op":"delete","id":"other"}""", -1)]
    public void What_the_packages_reader_takes_is_taken(string line, string id, string data, long clock)
    {
        Assert.Equal(LineVerdict.Operation, Read(line, out var read, out _));
        Assert.Equal((id, data, clock), (read.Id(), Samples.ToText(read.Data), read.Clock));
    }

    [Fact]
    public void Half_surrogate_pairs_are_kept()
    {
        Assert.Equal(LineVerdict.Operation, Read("""{"ts":"t","op":"set","id":"lone-\ud800","prev":null,"data":{"s":"low \udc00 alone","\udfff":true},"agent":"\udbff"}""", out var read, out _));
        Assert.Equal("lone-\ud800", read.Id());
        Assert.Equal("\udbff", read.Agent());
        Assert.Equal("""{"s":"low \udc00 alone","\udfff":true}""", Samples.ToText(read.Data));
    }

    [Theory]
    [InlineData("""{"ts":"t","op":"set","id":"","prev":null,"data":{"x":1}}""", "the id is empty")]
    [InlineData("""{"ts":"t","op":"set","id":"nul","prev":null,"data":null}""", "data is null")]
    [InlineData("""{"ts":"t","op":"set","id":"arr","prev":[1,2],"data":[1,3]}""", "prev is neither an object nor null")]
    [InlineData("""{"ts":"t","op":"delete","id":"bool","prev":false}""", "prev is neither an object nor null")]
    [InlineData("""{"ts":"t","op":"delete","id":"bad8","prev":null}""", "prev of a delete is null")]
    public void What_the_package_writes_and_then_refuses_is_doubtful(string line, string why)
    {
        Assert.Equal(LineVerdict.Doubtful, Read(line, out var read, out var fault));
        Assert.Equal(why, fault);
        Assert.NotEqual(0, read.PrevEnd);
    }

    [Theory]
    [InlineData("""{"ts":"t","op":"set","id":"bad13","prev":null,"data":{"x":1},"clock":1.5}""", "clock")]
    [InlineData("""{"ts":"t","op":"set","id":"bad14","prev":null,"data":{"x":1},"clock":"1"}""", "clock")]
    [InlineData("""{"ts":"t","op":"set","id":"bad12","prev":null,"data":{"x":1},"clock":-1}""", "clock")]
    [InlineData("""{"ts":"t","op":"set","id":"x","prev":null,"data":{"x":1},"clock":9007199254740992}""", "clock")]
    [InlineData("""{"ts":"t","op":"set","id":"x","prev":null,"data":{"x":1},"clock":1e400}""", "clock")]
    [InlineData("""{"ts":"t","op":"set","id":"x","prev":null,"data":{"x":1},"clock":null}""", "clock")]
    [InlineData("""{"ts":"t","op":"set","id":"bad11","prev":null,"data":{"x":1},"agent":""}""", "agent")]
    [InlineData("""{"ts":"t","op":"set","id":"x","prev":null,"data":{"x":1},"agent":null}""", "agent")]
    [InlineData("""{"ts":"t","op":"delete","id":"bad9","prev":{"x":1},"data":{"x":1}}""", "a delete has data")]
    [InlineData("""{"ts":"t","op":"set","id":"bad10","prev":null,"data":{"x":1},"encoding":"zip"}""", "encoding")]
    [InlineData("""{"ts":"t","op":"set","id":"bad7","prev":null}""", "a set has no data")]
    [InlineData("""{"ts":"t","op":"set","id":"bad4","data":{"x":1}}""", "prev is missing")]
    [InlineData("""{"ts":"t","op":"set","prev":null,"data":{"x":1}}""", "id is missing")]
    [InlineData("""{"ts":"t","op":"set","id":7,"prev":null,"data":{"x":1}}""", "id is not a string")]
    [InlineData("""{"ts":"t","op":"upsert","id":"bad1","prev":null,"data":{"x":1}}""", "op is neither")]
    [InlineData("""{"ts":"t","id":"x","prev":null,"data":{"x":1}}""", "op is missing")]
    [InlineData("""{"ts":"","op":"set","id":"bad2","prev":null,"data":{"x":1}}""", "ts is not")]
    [InlineData("""{"op":"set","id":"x","prev":null,"data":{"x":1}}""", "ts is missing")]
    [InlineData("""{"ts":"t","op":"set","id":"x","prev":null,"data":{},"crc":"0123"}""", "crc does not stand")]
    [InlineData("""{"ts":"t","op":"set","id":"x","prev":null,"data":{},"clock":1,"crc":"00000000"}""", "the checksum does not hold")]
    [InlineData("""{"ts":"t","op":"set","id":"x","prev":null,"data":{},"clock":1,"crx":"00000000"}""", "damaged checksum")]
    [InlineData("this is not JSON", "not one JSON object")]
    [InlineData("[1]", "not a JSON object")]
    [InlineData("null", "not a JSON object")]
    [InlineData("""{"ts":"t","op":"set","id":"half","prev":nu""", "not one JSON object")]
    [InlineData("""{"ts":"t","op":"set","id":"a","prev":null,"data":{}}{"ts":"t","op":"set","id":"b","prev":null,"data":{}}""", "not one JSON object")]
    [InlineData("""{"ts":"t","op":"set","id":"a","prev":null,"data":{"n":01}}""", "not one JSON object")]
    [InlineData("{\"ts\":\"t\",\"op\":\"set\",\"id\":\"a\tb\",\"prev\":null,\"data\":{}}", "not one JSON object")]
    [InlineData("{\"ts\":\"t\",\"op\":\"set\",\"id\":\"a\",\"prev\":null,\"data\":{}}\0", "not one JSON object")]
    [InlineData("\0\0\0\0", "not one JSON object")]
    public void What_the_packages_reader_skips_is_damage_with_a_reason(string line, string why)
    {
        Assert.Equal(LineVerdict.Corrupt, Read(line, out _, out var fault));
        Assert.Contains(why, fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \t\r")]
    public void Blank_lines_are_empty(string line) => Assert.Equal(LineVerdict.Empty, Read(line, out _, out _));

    [Fact]
    public void A_byte_order_mark_is_allowed_at_the_start_of_the_object_only()
    {
        const string Line = "\ufeff{\"ts\":\"t\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{\"a\":1}}";
        Assert.Equal(LineVerdict.Operation, Read(Line, out var read, out _, atStart: true));
        Assert.Equal("{\"a\":1}", Samples.ToText(read.Data));
        Assert.Equal("x", read.Id());
        Assert.Equal(LineVerdict.Corrupt, Read(Line, out _, out _));
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_are_damage()
    {
        var line = Samples.Utf8("""{"ts":"t","op":"set","id":"?","prev":null,"data":{}}""");
        line[Array.IndexOf(line, (byte)'?')] = 0xff;
        Assert.Equal(LineVerdict.Corrupt, OperationCodec.TryRead(line, 0, false, out _, out var fault));
        Assert.Equal("the line is not UTF-8", fault);
    }

    [Theory]
    [InlineData(990, true)]
    [InlineData(1010, false)]
    public void Depth_has_a_limit(int depth, bool isRead)
        => Assert.Equal(isRead ? LineVerdict.Operation : LineVerdict.Corrupt, Read("""{"ts":"t","op":"set","id":"x","prev":null,"data":""" + new string('[', depth) + new string(']', depth) + "}", out _, out _));

    [Fact]
    public void The_culture_changes_nothing()
    {
        var before = CultureInfo.CurrentCulture;
        var odd = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        odd.NumberFormat.NegativeSign = "~";
        odd.NumberFormat.NumberDecimalSeparator = ",";
        odd.NumberFormat.PositiveSign = "p";
        odd.DateTimeFormat.TimeSeparator = ".";
        odd.DateTimeFormat.DateSeparator = "/";
        CultureInfo.CurrentCulture = odd;
        try
        {
            A_single_writers_set_is_read();
            new OperationCodecTests().A_line_is_written_to_the_letter();
            Assert.Equal("snapshots/snap-r000000000012-0123abcd.jsonl", StoreKeys.Snapshot(12, "0123abcd", isJson: false).Value);
            Assert.Equal("2026-11-23T06:16:05.123Z", IsoTime.ToText(new DateTimeOffset(2026, 11, 23, 8, 16, 5, 123, TimeSpan.FromHours(2))));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Times_have_one_form()
    {
        var time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 6, TimeSpan.Zero);
        var bytes = new byte[24];
        IsoTime.Write(time, bytes);
        Assert.Equal("2026-01-02T03:04:05.006Z", Samples.ToText(bytes));
        Assert.Equal(time, IsoTime.Read(bytes));
        Assert.Null(IsoTime.Read("not a date"u8));
        Assert.Null(IsoTime.Read("2026-01-02T03:04:05.00\\u36"u8));
        Assert.False(IsoTime.TryRead("2026-01-02 03:04:05.006Z", out _));
    }
}
