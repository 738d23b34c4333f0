using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Spectre.Console;

namespace OpsLog.Cli;

/// <summary>
/// What a verb prints on standard output: JSON for scripts, tables and colours on a terminal, plain lines otherwise. Not thread-safe.
/// </summary>
internal sealed class Results : IDisposable
{
    private readonly CliStreams _streams;
    private readonly OutputBuffer _buffer;
    private IAnsiConsole? _console;

    public Results(CliStreams streams, bool json)
    {
        _streams = streams;
        Json = json;
        _buffer = new OutputBuffer(streams.Output);
    }

    /// <summary>Whether scripts read it.</summary>
    public bool Json { get; }

    /// <summary>Whether people read it.</summary>
    public bool Pretty => !Json && _streams.OutputTerminal is not null;

    /// <summary>The bytes of the output, for what is written without a text in between.</summary>
    public OutputBuffer Bytes => _buffer;

    /// <summary>One JSON object as text.</summary>
    public static string ToJson(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        WriteObject(buffer, members);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Prints a line as it is.</summary>
    public void Line(string text)
    {
        Encoding.UTF8.GetBytes(text, _buffer);
        _buffer.EndLine();
    }

    /// <summary>Prints a JSON object on a line of its own.</summary>
    public void Object(Action<Utf8JsonWriter> members)
    {
        WriteObject(_buffer, members);
        _buffer.EndLine();
    }

    /// <summary>Prints <c>{"id":…,"data":…}</c>: what <c>apply</c> takes as a set.</summary>
    public void Record(string id, ReadOnlySpan<byte> json)
    {
        _buffer.Write("{\"id\":"u8);
        JsonText.WriteString(_buffer, id);
        _buffer.Write(",\"data\":"u8);
        JsonText.WriteDocument(_buffer, json);
        _buffer.Write("}\n"u8);
    }

    /// <summary>Prints names and values: a table for people, a tab between them otherwise.</summary>
    public void Properties(IEnumerable<(string Name, string Value)> rows)
    {
        if (!Pretty)
        {
            foreach (var (name, value) in rows) Line($"{name}\t{value}");
            return;
        }

        var table = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumns("", "");
        foreach (var (name, value) in rows) table.AddRow(Markup.Escape(name), $"[bold]{Markup.Escape(value)}[/]");
        Console.Write(table);
    }

    /// <summary>Prints rows under headings for people; otherwise the rows alone, with tabs between their cells.</summary>
    public void Rows(string[] headings, IEnumerable<string[]> rows)
    {
        if (!Pretty)
        {
            foreach (var row in rows) Line(string.Join('\t', row));
            return;
        }

        var table = new Table().Border(TableBorder.Rounded).AddColumns(headings);
        foreach (var row in rows) table.AddRow([.. row.Select(Markup.Escape)]);
        Console.Write(table);
    }

    /// <summary>Prints columns of a line: coloured for people, with tabs between them otherwise.</summary>
    public void Columns(params ReadOnlySpan<(string Text, string Style)> columns)
    {
        var line = new StringBuilder();
        foreach (var (text, style) in columns)
        {
            if (line.Length > 0) line.Append(Pretty ? "  " : "\t");
            if (Pretty && style.Length > 0) line.Append(CultureInfo.InvariantCulture, $"[{style}]{Markup.Escape(text)}[/]");
            else line.Append(Pretty ? Markup.Escape(text) : text);
        }

        if (Pretty) Console.MarkupLine(line.ToString());
        else Line(line.ToString());
    }

    /// <summary>Hands everything printed so far to the operating system.</summary>
    public void Flush() => _buffer.Flush();

    /// <summary>Flushes.</summary>
    public void Dispose() => _buffer.Flush();

    /// <summary>Made on first use: the library's own start is not for scripts to pay.</summary>
    private IAnsiConsole Console
    {
        get
        {
            _buffer.Flush(); // plain lines printed before keep their place
            return _console ??= AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(_streams.OutputTerminal!) });
        }
    }

    private static void WriteObject(IBufferWriter<byte> destination, Action<Utf8JsonWriter> members)
    {
        using var writer = new Utf8JsonWriter(destination, JsonText.WriterOptions);
        writer.WriteStartObject();
        members(writer);
        writer.WriteEndObject();
    }
}
