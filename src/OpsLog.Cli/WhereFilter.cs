using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace OpsLog.Cli;

/// <summary>
/// A <c>--where name=value</c>: the document's member of that (dotted) name is a scalar whose text is the value. Strings are compared
/// without quotes and escapes; numbers, true, false and null as they are written.
/// </summary>
internal sealed class WhereFilter
{
    private readonly string[] _path;
    private readonly string _value;

    private WhereFilter(string[] path, string value) => (_path, _value) = (path, value);

    /// <summary>The repeatable option.</summary>
    public static Option<string[]> CreateOption() => new("--where")
    {
        Description = "Only records whose member NAME (dotted for members of members) is VALUE. May be given several times: all must hold.",
        HelpName = "NAME=VALUE",
    };

    /// <summary>Reads the option's values.</summary>
    public static IReadOnlyList<WhereFilter> Parse(string[]? texts) => (texts ?? []).Select(Parse).ToArray();

    /// <summary>Reads <c>name=value</c>; the first <c>=</c> divides.</summary>
    /// <exception cref="UsageException">There is no <c>=</c>, or a part of the name is empty.</exception>
    public static WhereFilter Parse(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        var path = equals < 0 ? [] : text[..equals].Split('.');
        if (path.Length == 0 || path.Contains("", StringComparer.Ordinal))
            throw new UsageException($"--where '{text}' is not NAME=VALUE.");
        return new WhereFilter(path, text[(equals + 1)..]);
    }

    /// <summary>Whether all of the filters hold for a document.</summary>
    public static bool MatchAll(IReadOnlyList<WhereFilter> filters, ReadOnlySpan<byte> json)
    {
        for (var i = 0; i < filters.Count; i++)
            if (!filters[i].Matches(json)) return false;
        return true;
    }

    /// <summary>Whether it holds for a document. The bytes must be valid JSON.</summary>
    public bool Matches(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = OpenedStore.MaxDepth });
        reader.Read();
        return Matches(ref reader, _path);
    }

    private bool Matches(ref Utf8JsonReader reader, ReadOnlySpan<string> path)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (path.IsEmpty) return MatchesScalar(ref reader);
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return false;
        }

        var matches = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var wanted = TextEquals(ref reader, path[0]);
            reader.Read();
            // Of members with the same name the last one counts, as in JavaScript.
            if (wanted) matches = Matches(ref reader, path[1..]);
            else reader.Skip();
        }

        return matches;
    }

    /// <summary>Half of a surrogate pair, which a document may hold, is no text and equals none.</summary>
    private static bool TextEquals(ref Utf8JsonReader reader, string text)
    {
        try
        {
            return reader.ValueTextEquals(text);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private bool MatchesScalar(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return TextEquals(ref reader, _value);
            case JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null:
                return System.Text.Ascii.Equals(reader.ValueSpan, _value);
            default:
                reader.Skip();
                return false;
        }
    }
}
