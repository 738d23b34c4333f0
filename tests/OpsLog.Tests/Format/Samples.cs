using System.Globalization;
using System.Text;
using CsCheck;
using OpsLog.Format;

namespace OpsLog.Tests.Format;

/// <summary>Random documents, ids and operations with what hurts in them, and the calls every codec test needs.</summary>
internal static class Samples
{
    private static readonly string[] OddTexts =
    [
        "", "a", "__proto__", "constructor", "10", "9", "$set", "$unset", "clock", "crc", "data", "prev", ",\"clock\":7", ",\"crc\":\"00000000\"}",
        "a\nb", "tab\t", "nul\0", "quote\"", "back\\slash", "\u2028\u2029", "\u007f", "日本語", "\ud7ff\ue000", "😀", "\u001f", "#", "line#", "é", new('x', 300),
    ];

    private static readonly string[] OddNumbers =
        ["0", "-0", "1", "-1.5", "1e400", "-1E+5", "9007199254740993", "123456789012345678901234567890", "0.1", "1.0", "5e-324"];

    /// <summary>A text, most often an odd one; never with half a surrogate pair.</summary>
    public static readonly Gen<string> Text = Gen.OneOf(
        Gen.Int[0, OddTexts.Length - 1].Select(i => OddTexts[i]),
        Gen.String[Gen.Char.AlphaNumeric, 1, 20],
        Gen.String[Gen.Char['\u0001', '\u07ff'], 0, 40]);

    /// <summary>A text that may have half surrogate pairs.</summary>
    public static readonly Gen<string> AnyText = Gen.OneOf(
        Text,
        Gen.String[Gen.OneOf(Gen.Char['\ud7f0', '\ue00f'], Gen.Char['a', 'c']), 0, 12]);

    /// <summary>A minified document whose names are all different.</summary>
    public static readonly Gen<string> Document = Gen.Int.Select(seed => Object(new Random(seed), depth: 3));

    public static readonly Gen<Stamp> Stamp = Gen.Select(Gen.Long[0, OpsLog.Format.Stamp.MaxClock], Text, Text, (clock, agent, log) => new Stamp(clock, agent, log));

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    public static byte[] Wtf8(string text)
    {
        var bytes = new byte[JsonText.MaxWtf8(text.Length)];
        return bytes[..JsonText.ToWtf8(text, bytes)];
    }

    public static string Json(string text)
    {
        var bytes = new byte[(6 * text.Length) + 2];
        return Encoding.UTF8.GetString(bytes, 0, JsonText.WriteString(bytes, text));
    }

    public static string ToText(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

    /// <summary>All copies of the bytes with one bit changed, with the place of the bit.</summary>
    public static IEnumerable<(int Bit, byte[] Bytes)> Flips(byte[] bytes)
    {
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var copy = (byte[])bytes.Clone();
            copy[bit / 8] ^= (byte)(1 << (bit % 8));
            yield return (bit, copy);
        }
    }

    /// <summary>Spreads JSON out: whitespace around every token outside strings.</summary>
    public static string Spread(string json)
    {
        var spread = new StringBuilder();
        var inString = false;
        for (var i = 0; i < json.Length; i++)
        {
            var c = json[i];
            if (c == '"' && (i == 0 || !IsEscaped(json, i))) inString = !inString;
            if (!inString && c is '{' or '}' or '[' or ']' or ',' or ':' && !inString) spread.Append(" \n").Append(c).Append("\t\r ");
            else spread.Append(c);
        }

        return spread.ToString();
    }

    public static string Object(Random random, int depth)
    {
        var names = new HashSet<string>();
        for (var i = random.Next(7); i > 0; i--) names.Add(RandomText(random));
        return "{" + string.Join(',', names.Select(name => Json(name) + ":" + Value(random, depth))) + "}";
    }

    private static string Value(Random random, int depth) => random.Next(depth > 0 ? 8 : 5) switch
    {
        0 => Json(RandomText(random)),
        1 => OddNumbers[random.Next(OddNumbers.Length)],
        2 => random.Next(100000).ToString(CultureInfo.InvariantCulture),
        3 => "true",
        4 => "null",
        5 => "[" + string.Join(',', Enumerable.Range(0, random.Next(4)).Select(_ => Value(random, depth - 1))) + "]",
        _ => Object(random, depth - 1),
    };

    private static string RandomText(Random random)
        => random.Next(2) == 0 ? OddTexts[random.Next(OddTexts.Length)] : "name" + random.Next(12).ToString(CultureInfo.InvariantCulture);

    private static bool IsEscaped(string json, int quote)
    {
        var slashes = 0;
        while (quote - slashes > 0 && json[quote - slashes - 1] == '\\') slashes++;
        return slashes % 2 == 1;
    }
}
