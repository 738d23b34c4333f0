using System.Buffers;
using System.Buffers.Text;

namespace OpsLog.Format;

/// <summary>Writes JSON exactly as JavaScript's <c>JSON.stringify</c> does, minified or with an indent of two spaces.</summary>
internal sealed class JsonOut(IBufferWriter<byte> output, bool pretty)
{
    private const int Indent = 2;

    private int _depth;
    private bool _isFirst = true;
    private bool _afterName;

    /// <summary>Whether what follows is indented: turn it off inside a container to keep its contents on one line.</summary>
    public bool Pretty { get; set; } = pretty;

    public void BeginObject() => Begin("{"u8);

    public void BeginArray() => Begin("["u8);

    public void EndObject() => End("}"u8);

    public void EndArray() => End("]"u8);

    public void Name(ReadOnlySpan<char> name)
    {
        Separate();
        Text(name);
        AfterName();
    }

    public void NameWtf8(ReadOnlySpan<byte> name)
    {
        Separate();
        TextWtf8(name);
        AfterName();
    }

    public void Value(ReadOnlySpan<char> text)
    {
        Separate();
        Text(text);
    }

    public void Value(long number)
    {
        Separate();
        var span = output.GetSpan(LineWriter.MaxNumber);
        Utf8Formatter.TryFormat(number, span, out var written);
        output.Advance(written);
    }

    public void Value(bool value) => Raw(value ? "true"u8 : "false"u8);

    public void Null() => Raw("null"u8);

    /// <summary>Writes a value that is JSON already.</summary>
    public void Raw(ReadOnlySpan<byte> json)
    {
        Separate();
        output.Write(json);
    }

    /// <summary>Writes a member that is a list of objects.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="items">What the objects are made of.</param>
    /// <param name="members">Writes the members of one.</param>
    public void List<TItem>(ReadOnlySpan<char> name, IEnumerable<TItem> items, Action<JsonOut, TItem> members)
    {
        Name(name);
        BeginArray();
        foreach (var item in items)
        {
            BeginObject();
            members(this, item);
            EndObject();
        }

        EndArray();
    }

    public void Member(ReadOnlySpan<char> name, ReadOnlySpan<char> text)
    {
        Name(name);
        Value(text);
    }

    public void Member(ReadOnlySpan<char> name, long number)
    {
        Name(name);
        Value(number);
    }

    public void Member(ReadOnlySpan<char> name, bool value)
    {
        Name(name);
        Value(value);
    }

    /// <summary>Writes a stamp as <c>[clock,"agent","log"]</c>.</summary>
    public void Value(in Stamp stamp)
    {
        BeginArray();
        Value(stamp.Clock);
        Value(stamp.Agent);
        Value(stamp.Log);
        EndArray();
    }

    private void Begin(ReadOnlySpan<byte> bracket)
    {
        Separate();
        output.Write(bracket);
        _depth++;
        _isFirst = true;
    }

    private void End(ReadOnlySpan<byte> bracket)
    {
        _depth--;
        if (!_isFirst) NewLine();
        output.Write(bracket);
        _isFirst = false;
    }

    /// <summary>What goes before a name, or a value in an array: a comma unless it is the first, and the line break.</summary>
    private void Separate()
    {
        if (_afterName)
        {
            _afterName = false;
            return;
        }

        if (!_isFirst) output.Write(","u8);
        if (_depth > 0) NewLine();
        _isFirst = false;
    }

    private void AfterName()
    {
        output.Write(Pretty ? ": "u8 : ":"u8);
        _afterName = true;
    }

    private void NewLine()
    {
        if (!Pretty) return;
        output.Write("\n"u8);
        var length = _depth * Indent;
        output.GetSpan(length)[..length].Fill((byte)' ');
        output.Advance(length);
    }

    private void Text(ReadOnlySpan<char> text)
    {
        var span = output.GetSpan(checked((6 * text.Length) + 2));
        output.Advance(JsonText.WriteString(span, text));
    }

    private void TextWtf8(ReadOnlySpan<byte> wtf8)
    {
        var span = output.GetSpan(checked((6 * wtf8.Length) + 2));
        output.Advance(JsonText.WriteStringUtf8(span, wtf8));
    }
}
