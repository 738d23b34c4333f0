using System.Text.Json;
using CsCheck;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>Checksums, the tail, and the structure scan that stands in for a parser on lines whose checksum holds.</summary>
public class JsonLinesTests
{
    [Fact]
    public void The_checksum_is_CRC_32C()
    {
        Assert.Equal(0xe3069283u, JsonLines.Checksum("123456789"u8));
        Assert.Equal(0u, JsonLines.Checksum(default));
        Assert.Equal(0x8a9136aau, JsonLines.Checksum(new byte[32]));
    }

    [Fact]
    public void A_seeded_checksum_starts_with_the_eight_bytes_of_the_offset()
        => Gen.Select(Gen.Byte.Array[0, 200], Gen.Long[0, long.MaxValue]).Sample((bytes, offset) =>
            Assert.Equal(JsonLines.Checksum([.. BitConverter.GetBytes(offset), .. bytes]), JsonLines.Checksum(bytes, offset)));

    [Fact]
    public void A_checksum_in_pieces_is_that_of_the_whole()
        => Gen.Select(Gen.Byte.Array[0, 60], Gen.Byte.Array[0, 60]).Sample((left, right) =>
        {
            var checksum = Crc32C.Start();
            checksum.Append(left);
            checksum.Append(right);
            Assert.Equal(JsonLines.Checksum([.. left, .. right]), checksum.Value);
            checksum.Append(77L);
            Assert.Equal(JsonLines.Checksum([.. left, .. right, 77, 0, 0, 0, 0, 0, 0, 0]), checksum.Value);
        });

    [Fact]
    public void A_checksum_is_eight_lower_case_digits()
        => Gen.UInt.Sample(value =>
        {
            var digits = new byte[8];
            JsonLines.WriteHex(digits, value);
            Assert.Equal(value.ToString("x8"), Samples.ToText(digits));
            Assert.Equal(JsonLines.Hex(value), Samples.ToText(digits));
            Assert.True(JsonLines.TryParseHex(digits, out var back) && back == value);
        });

    [Theory]
    [InlineData("{\"a\":1,\"crc\":\"0123abcd\"}", true, false)]
    [InlineData("{\"a\":1,\"crc\":\"0123abcD\"}", false, true)]
    [InlineData("{\"a\":1,\"crd\":\"0123abcd\"}", false, true)]
    [InlineData("{\"a\":1,\"crc\":\"0123abcd\"} ", false, false)]
    [InlineData("{\"a\":1,\"abc\":\"0123wxyz\"}", false, false)]
    [InlineData(",\"crc\":\"0123abcd\"}", false, false)]
    [InlineData("", false, false)]
    public void A_checksum_is_recognised_and_so_is_a_damaged_one(string line, bool has, bool damaged)
    {
        Assert.Equal(has, JsonLines.HasChecksumTail(Samples.Utf8(line)));
        Assert.Equal(damaged, JsonLines.HasDamagedChecksumTail(Samples.Utf8(line)));
    }

    [Theory]
    [InlineData("{\"data\":{\"x\":1,\"clock\":5},\"clock\":77,\"crc\":\"00000000\"}", 25)]
    [InlineData("{\"data\":{},\"clock\":77,\"agent\":\"a\",\"crc\":\"00000000\"}", 10)]
    [InlineData("{\"data\":{\"a\":\",\\\"clock\\\":1\"},\"clock\":7,\"crc\":\"00000000\"}", 28)]
    [InlineData("{\"data\":{}}", -1)]
    [InlineData("", -1)]
    [InlineData("7,\"crc\":\"00000000\"}", -1)]
    public void The_tail_starts_at_the_last_clock(string line, int start) => Assert.Equal(start, JsonLines.TailStart(Samples.Utf8(line)));

    [Fact]
    public void Skipping_finds_the_end_of_every_value()
        => Gen.Select(Samples.Document, Gen.String[Gen.Char.AlphaNumeric, 0, 40]).Sample((document, before) =>
        {
            var json = Samples.Utf8("[" + Samples.Json(before) + "," + document + ",7]");
            var reader = new Utf8JsonReader(json);
            reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                Assert.Equal((int)reader.BytesConsumed, JsonLines.SkipValue(json, start));
                Assert.Equal((int)reader.BytesConsumed - start, JsonLines.SkipValue(json.AsSpan(start, (int)reader.BytesConsumed - start), 0));
            }
        });

    [Fact]
    public void Backslashes_at_every_place_of_a_block_are_understood()
    {
        for (var length = 0; length < 100; length++)
            foreach (var slashes in new[] { "\\\\", "\\\"", "\\\\\\\"", "\\\\\\\\" })
            {
                var json = "{\"" + new string('x', length) + slashes + "}\":[\"{\",\"" + slashes + "\"]}";
                Assert.Equal(json.Length, JsonLines.SkipValue(Samples.Utf8(json + ",\"tail\":\"}}}}]]]]{{{{[[[[\"}"), 0));
            }
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("{", 0)]
    [InlineData("{\"a\":[1}", 0)]
    [InlineData("\"open", 0)]
    [InlineData("\"open\\\"", 0)]
    [InlineData("\"", 0)]
    [InlineData("{}", 5)]
    [InlineData("{}", -1)]
    [InlineData(",", 0)]
    public void A_value_that_does_not_end_has_no_end(string json, int start) => Assert.Equal(-1, JsonLines.SkipValue(Samples.Utf8(json), start));

    [Fact]
    public void No_bytes_harm_the_scan()
        => Gen.Int[0, 10].Select(i => "{}[]\"\\,:a \u00ff"[i]).Select(c => (byte)c).Array[0, 100].Sample(bytes =>
        {
            for (var start = 0; start < bytes.Length; start++) Assert.InRange(JsonLines.SkipValue(bytes, start), -1, bytes.Length);
            Assert.InRange(JsonLines.TailStart(bytes), -1, bytes.Length);
            var minified = new byte[bytes.Length];
            Assert.InRange(JsonLines.Minify(bytes, minified), 0, bytes.Length);
            JsonLines.IsMinified(bytes);
        });

    [Fact]
    public void Minifying_drops_whitespace_outside_strings_and_nothing_else()
        => Samples.Document.Sample(document =>
        {
            var spread = Samples.Utf8(Samples.Spread(document));
            Assert.False(JsonLines.IsMinified(spread));
            Assert.True(JsonLines.IsMinified(Samples.Utf8(document)));
            var length = JsonLines.Minify(spread, spread); // in place
            Assert.Equal(document, Samples.ToText(spread.AsSpan(0, length)));
        });

    [Theory]
    [InlineData("", true)]
    [InlineData(" \t\r", true)]
    [InlineData("\0", false)]
    [InlineData(" x", false)]
    public void Blank_lines_are_told(string line, bool blank) => Assert.Equal(blank, JsonLines.IsBlank(Samples.Utf8(line)));
}
