using System.Text;
using System.Text.Json;
using OpsLog.Cli;
using OpsLog.Cli.Apply;
using Xunit;

namespace OpsLog.Tests.Cli;

public class ApplyLineReaderTests
{
    [Theory]
    [InlineData("""{"op":"set","id":"a","data":{"x":1}}""", ApplyKind.Set)]
    [InlineData("""{"id":"a","data":{"x":1}}""", ApplyKind.Set)]
    [InlineData("""{"op":"delete","id":"a"}""", ApplyKind.Delete)]
    [InlineData("""{"op":"undo"}""", ApplyKind.Undo)]
    [InlineData("""{"op":"redo"}""", ApplyKind.Redo)]
    [InlineData("""{"op":"compact"}""", ApplyKind.Compact)]
    [InlineData("""{"op":"refresh"}""", ApplyKind.Refresh)]
    [InlineData("""{"op":"archive","ids":["a"],"segment":"s"}""", ApplyKind.Archive)]
    [InlineData("""{"op":"batch","ops":[{"op":"set","id":"a","data":{}}]}""", ApplyKind.Batch)]
    [InlineData(" { \"\\u006fp\" : \"un\\u0064o\" } \r", ApplyKind.Undo)]
    internal void Every_operation_of_the_contract_is_read(string text, ApplyKind kind) => Assert.Equal(kind, Read(text).Kind);

    [Theory]
    [InlineData("x")]
    [InlineData("{")]
    [InlineData("5")]
    [InlineData("""{"op":"undo"}{"op":"undo"}""")]
    [InlineData("{}")]
    [InlineData("""{"data":{}}""")]
    [InlineData("""{"id":"a"}""")]
    [InlineData("""{"op":"frobnicate"}""")]
    [InlineData("""{"op":7}""")]
    [InlineData("""{"op":"set","id":"a"}""")]
    [InlineData("""{"op":"set","data":{}}""")]
    [InlineData("""{"op":"set","id":"","data":{}}""")]
    [InlineData("""{"op":"set","id":5,"data":{}}""")]
    [InlineData("""{"op":"set","id":"\ud800","data":{}}""")]
    [InlineData("""{"op":"set","id":"a","data":null}""")]
    [InlineData("""{"op":"set","id":"a","data":[1]}""")]
    [InlineData("""{"op":"delete"}""")]
    [InlineData("""{"op":"archive"}""")]
    [InlineData("""{"op":"archive","ids":"a"}""")]
    [InlineData("""{"op":"archive","ids":[1]}""")]
    [InlineData("""{"op":"archive","ids":["a"],"segment":""}""")]
    [InlineData("""{"op":"batch"}""")]
    [InlineData("""{"op":"batch","ops":{}}""")]
    [InlineData("""{"op":"batch","ops":[7]}""")]
    [InlineData("""{"op":"batch","ops":[{"op":"undo"}]}""")]
    [InlineData("""{"op":"batch","ops":[{"op":"set","id":"a"}]}""")]
    [InlineData("""{"op":"\ud800"}""")]
    [InlineData("""{"op":"\ud83dx","id":"a","data":{}}""")]
    [InlineData("""{"\ud800":1,"id":"a","data":{}}""")]
    [InlineData("""{"a very long name with half of a pair \udc00":1,"op":"undo"}""")]
    [InlineData("""{"op":"batch","ops":[{"\ud800":1,"id":"a","data":{}}]}""")]
    [InlineData("""{"op":"batch","ops":[{"op":"\ud800","id":"a"}]}""")]
    [InlineData("""{"op":"archive","ids":["\ud800"]}""")]
    [InlineData("""{"op":"archive","ids":["a"],"segment":"\ud800"}""")]
    public void A_malformed_line_is_refused_with_its_number(string text)
    {
        var exception = Assert.Throws<InputLineException>(() => Read(text));
        Assert.Equal(42, exception.Line);
        Assert.Contains("input line 42", exception.Message, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, ExitCode.Of(exception));
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_are_refused()
    {
        byte[] bytes = [.. """{"op":"set","id":"a","data":{"x":" """u8, 0xff, .. "\"}}"u8];
        Assert.Throws<InputLineException>(() => new ApplyLineReader(null).Read(bytes, new ApplyLine()));
    }

    [Fact]
    public void Unknown_members_are_ignored_and_of_equal_ones_the_last_counts()
    {
        var line = Read("""{"ts":"now","op":"delete","id":"a","data":{"v":1},"extra":{"op":"undo","id":[]},"op":"set","id":"b","data":{"v":2}}""");
        Assert.Equal(ApplyKind.Set, line.Kind);
        Assert.Equal("b", line.Id);
        Assert.Equal("""{"v":2}""", line.Document.GetRawText());
    }

    [Fact]
    public void A_document_is_taken_as_it_is_written()
    {
        const string Document = """{ "n":1.50e+02, "a":"\u0041\/", "a":2, "é":"\ud83d\ude00" }""";
        Assert.Equal(Document, Read($$"""{"op":"set","id":"a","data":{{Document}}}""").Document.GetRawText());
    }

    [Theory]
    [InlineData(1024, true)]
    [InlineData(1025, false)]
    public void A_document_is_read_as_deep_as_the_library_reads(int depth, bool taken)
    {
        var document = string.Concat(Enumerable.Repeat("{\"a\":", depth - 1)) + "{}" + new string('}', depth - 1);
        var single = $$"""{"op":"set","id":"a","data":{{document}}}""";
        var batch = $$"""{"op":"batch","ops":[{{single}}]}""";
        foreach (var text in new[] { single, batch })
        {
            if (taken) Read(text);
            else Assert.Throws<InputLineException>(() => Read(text));
        }
    }

    [Fact]
    public void Half_of_a_surrogate_pair_inside_a_document_is_the_stores_business()
    {
        const string Document = """{"initial":"\ud83d","\ud83d":{"\udc00":[1]}}""";
        Assert.Equal(Document, Read($$"""{"x":{"\ud800":"\ud800"},"y":"\ud800","id":"a","data":{{Document}}}""").Document.GetRawText());
    }

    [Fact]
    public void The_batch_key_is_the_raw_JSON_of_the_named_member()
    {
        Assert.Equal("\"c1\"", Key("""{"commit":"c1","op":"delete","id":"a"}"""));
        Assert.Equal("""{"n":[1, 2]}""", Key("""{"op":"delete","id":"a","commit": {"n":[1, 2]} }"""));
        Assert.Equal("null", Key("""{"op":"delete","id":"a","commit":null}"""));
        Assert.Equal("", Key("""{"op":"delete","id":"a","data":{"commit":"c1"}}"""));
        Assert.Equal("\"a\"", Key("""{"op":"delete","id":"a"}""", batchBy: "id"));
        Assert.Equal("\"\\ud800\"", Key("""{"op":"delete","id":"a","comm\u0069t":"\ud800"}"""));
        Assert.Throws<InputLineException>(() => Key("""{"op":"delete","id":"a","\ud800":"c1"}"""));

        static string Key(string text, string batchBy = "commit") => Encoding.UTF8.GetString(Read(text, batchBy).BatchKey.Span);
    }

    [Fact]
    public void A_batch_holds_its_operations_in_order()
    {
        var line = Read("""{"op":"batch","ops":[{"op":"set","id":"a","data":{"v":1}},{"op":"delete","id":"b"},{"id":"c","data":{}}]}""");
        Assert.Equal(["a", "b", "c"], line.Operations.Select(o => o.Id));
        Assert.Equal([true, false, true], line.Operations.Select(o => o.Document is not null));
        Assert.All(line.Operations, o => Assert.Equal(42, o.Line));
    }

    [Fact]
    public void A_document_outlives_the_buffer_it_was_read_from()
    {
        var bytes = """{"op":"set","id":"a","data":{"x":1}}"""u8.ToArray();
        var line = new ApplyLine();
        new ApplyLineReader(null).Read(bytes, line);
        Array.Clear(bytes);
        Assert.Equal("""{"x":1}""", line.Document.GetRawText());
    }

    [Theory]
    [InlineData("", true)]
    [InlineData(" \t\r", true)]
    [InlineData("{}", false)]
    [InlineData("\0", false)]
    public void Only_whitespace_is_blank(string text, bool blank) =>
        Assert.Equal(blank, ApplyLineReader.IsBlank(Encoding.UTF8.GetBytes(text)));

    private static ApplyLine Read(string text, string? batchBy = null)
    {
        var line = new ApplyLine();
        line.Reset(42);
        new ApplyLineReader(batchBy).Read(Encoding.UTF8.GetBytes(text), line);
        return line;
    }
}
