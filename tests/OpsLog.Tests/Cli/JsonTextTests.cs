using System.Buffers;
using System.Text;
using System.Text.Json;
using CsCheck;
using OpsLog.Cli;
using Xunit;

namespace OpsLog.Tests.Cli;

public class JsonTextTests
{
    [Theory]
    [InlineData("plain é 😀 \u2028 \u007f </script>", "\"plain é 😀 \u2028 \u007f </script>\"")]
    [InlineData("a\"b\\c/d", "\"a\\\"b\\\\c/d\"")]
    [InlineData("\b\f\n\r\t\0\u001f", "\"\\b\\f\\n\\r\\t\\u0000\\u001f\"")]
    public void Strings_are_written_as_JSON_stringify_writes_them(string text, string json) => Assert.Equal(json, Write(text));

    [Fact]
    public void A_lone_surrogate_becomes_an_escape()
    {
        // In the source as escapes: a test's name may not hold what is no Unicode text.
        Assert.Equal("\"a\\ud800\"", Write("a\ud800"));
        Assert.Equal("\"\\udc00\\ud800b\"", Write("\udc00\ud800b"));
        Assert.Equal("\"\\ud83d😀\"", Write("\ud83d\ud83d\ude00"));
    }

    [Fact]
    public void Any_text_reads_back_as_it_was()
    {
        Gen.String.Where(t => !JsonText.HasLoneSurrogate(t)).Sample(text => JsonSerializer.Deserialize<string>(Write(text)) == text);
    }

    [Theory]
    [InlineData("{\"a\": 1.0}", "{\"a\": 1.0}")]
    [InlineData("{\r\n  \"a\": \"x \\\" y\",\n\t\"b\": [ 1, 2 ]\n}", "{\"a\":\"x \\\" y\",\"b\":[1,2]}")]
    public void A_document_is_put_on_one_line_and_else_left_alone(string json, string expected)
    {
        var buffer = new ArrayBufferWriter<byte>();
        JsonText.WriteDocument(buffer, Encoding.UTF8.GetBytes(json));
        Assert.Equal(expected, Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    [Theory]
    [InlineData("task-1", "task-1")]
    [InlineData("", "\"\"")]
    [InlineData("a\nb", "\"a\\nb\"")]
    [InlineData("csi\u009b31mx", "\"csi\\u009b31mx\"")]
    [InlineData("\u007f\u0080\u0085\u2028\u2029é\u00a0", "\"\\u007f\\u0080\\u0085\\u2028\\u2029é\u00a0\"")]
    public void What_would_break_a_line_is_shown_as_a_JSON_string(string text, string shown) => Assert.Equal(shown, JsonText.Printable(text));

    private static string Write(string text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        JsonText.WriteString(buffer, text);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
