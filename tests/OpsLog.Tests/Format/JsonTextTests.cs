using System.Text.Json;
using System.Text.RegularExpressions;
using CsCheck;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>
/// Strings are written exactly as JSON.stringify writes them, and come back whatever they hold. Half surrogate pairs stand as escapes in
/// the arguments, because an attribute cannot hold them.
/// </summary>
public class JsonTextTests
{
    [Theory]
    [InlineData("", "\"\"")]
    [InlineData("plain", "\"plain\"")]
    [InlineData("\"\\\\/", "\"\\\"\\\\/\"")]
    [InlineData("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"")]
    [InlineData("\0\u001f\u0020\u007f\u0080", "\"\\u0000\\u001f \u007f\u0080\"")]
    [InlineData("\u2028\u2029é日😀<>&'+", "\"\u2028\u2029é日😀<>&'+\"")]
    [InlineData("\\ud800", "\"\\ud800\"")]
    [InlineData("a\\udfffb\\ud83d", "\"a\\udfffb\\ud83d\"")]
    [InlineData("\\ude00\\ud83d", "\"\\ude00\\ud83d\"")]
    [InlineData("\ud7ff\ue000", "\"\ud7ff\ue000\"")]
    public void Strings_are_escaped_as_JSON_stringify_does(string text, string json) => Assert.Equal(json, Samples.Json(Regex.Unescape(text)));

    [Fact]
    public void Every_text_survives_the_way_through_WTF8_and_JSON()
        => Samples.AnyText.Sample(text =>
        {
            var wtf8 = Samples.Wtf8(text);
            Assert.Equal(text, JsonText.ToString(wtf8));
            var json = new byte[(6 * wtf8.Length) + 2];
            var length = JsonText.WriteStringUtf8(json, wtf8);
            Assert.Equal(Samples.Json(text), Samples.ToText(json.AsSpan(0, length)));
            var back = new byte[length];
            Assert.Equal(wtf8, back[..JsonText.Unescape(json.AsSpan(1, length - 2), back)]);
            Assert.Equal(text, JsonText.FromEscaped(json.AsSpan(1, length - 2)));
        });

    [Fact]
    public void What_is_written_is_JSON_of_the_same_text()
        => Samples.Text.Sample(text => Assert.Equal(text, JsonSerializer.Deserialize<string>(Samples.Json(text))));

    [Theory]
    [InlineData("\\u0041\\u00e9\\u65e5", "Aé日")]
    [InlineData("\\uD83D\\uDE00", "😀")]
    [InlineData("\\ud83d\\ude00\\ud83d", "😀\\ud83d")]
    [InlineData("\\/\\b\\f\\n\\r\\t\\\"\\\\", "/\b\f\n\r\t\"\\\\")]
    [InlineData("\\ud83dx", "\\ud83dx")]
    [InlineData("\\ud83d\\u0041", "\\ud83dA")]
    [InlineData("\\ud83d\\n", "\\ud83d\n")]
    public void Every_escape_is_understood(string escaped, string text) => Assert.Equal(Regex.Unescape(text), JsonText.FromEscaped(Samples.Utf8(escaped)));

    [Theory]
    [InlineData("\\")]
    [InlineData("\\u")]
    [InlineData("\\u12")]
    [InlineData("\\uzzzz")]
    [InlineData("\\u+123")]
    [InlineData("a\\x\\")]
    public void What_is_no_escape_does_no_harm(string escaped)
    {
        var bytes = Samples.Utf8(escaped);
        Assert.InRange(JsonText.Unescape(bytes, new byte[bytes.Length]), 0, bytes.Length);
    }

    [Fact]
    public void Bytes_that_are_no_text_do_no_harm()
        => Gen.Byte.Array[0, 60].Sample(bytes =>
        {
            JsonText.ToString(bytes);
            JsonText.FromEscaped(bytes);
            Assert.InRange(JsonText.WriteStringUtf8(new byte[(6 * bytes.Length) + 2], bytes), 2, (6 * bytes.Length) + 2);
        });

    [Theory]
    [InlineData("", false)]
    [InlineData("a😀b", false)]
    [InlineData("\\ud83d", true)]
    [InlineData("x\\ude00", true)]
    [InlineData("😀\\ud83d\\ud83d\\ude00", true)]
    public void Half_surrogate_pairs_are_found(string text, bool has) => Assert.Equal(has, JsonText.HasLoneSurrogate(Regex.Unescape(text)));
}
