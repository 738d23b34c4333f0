using System.Buffers.Text;

namespace OpsLog.Format;

/// <summary>Appends the pieces of a line to a span that the caller made large enough.</summary>
internal ref struct LineWriter(Span<byte> destination)
{
    /// <summary>The most digits of a number, sign included.</summary>
    public const int MaxNumber = 20;

    private readonly Span<byte> _destination = destination;

    /// <summary>How many bytes are written.</summary>
    public int Length { get; private set; }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_destination[Length..]);
        Length += bytes.Length;
    }

    public void Number(long value)
    {
        if (!Utf8Formatter.TryFormat(value, _destination[Length..], out var written)) throw new ArgumentException("The destination is shorter than the longest line.");
        Length += written;
    }

    public void Text(ReadOnlySpan<char> text) => Length += JsonText.WriteString(_destination[Length..], text);

    public void TextWtf8(ReadOnlySpan<byte> wtf8) => Length += JsonText.WriteStringUtf8(_destination[Length..], wtf8);

    /// <summary>Writes a stamp as <c>[clock,"agent","log"]</c>.</summary>
    public void Stamp(in Stamp stamp)
    {
        Raw("["u8);
        Number(stamp.Clock);
        Raw(","u8);
        Text(stamp.Agent);
        Raw(","u8);
        Text(stamp.Log);
        Raw("]"u8);
    }

    /// <summary>The most bytes of a stamp.</summary>
    public static int MaxStamp(in Stamp stamp) => MaxNumber + 8 + (6 * (stamp.Agent.Length + stamp.Log.Length));

    /// <summary>Ends the line: the checksum of everything before it, a brace and a newline.</summary>
    public int End(long? offset)
    {
        var covered = _destination[..Length];
        var checksum = offset is { } place ? JsonLines.Checksum(covered, place) : JsonLines.Checksum(covered);
        Raw(",\"crc\":\""u8);
        JsonLines.WriteHex(_destination[Length..], checksum);
        Length += 8;
        Raw("\"}\n"u8);
        return Length;
    }
}
