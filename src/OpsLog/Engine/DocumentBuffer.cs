using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OpsLog.Engine;

/// <summary>Documents on their way into the log, one behind the other, and the JSON writer that puts them there. Made once, used for many calls, by one at a time.</summary>
internal sealed class DocumentBuffer : IBufferWriter<byte>
{
    private const int First = 1024;
    private const int MostKept = 512 << 10;
    private byte[] _bytes = new byte[First];

    private Utf8JsonWriter? _json;

    /// <summary>Writes behind what there is.</summary>
    /// <param name="maxDepth">How deep it lets documents be: the same in every call.</param>
    public Utf8JsonWriter Json(int maxDepth) =>
        _json ??= new Utf8JsonWriter(this, new JsonWriterOptions { SkipValidation = true, MaxDepth = maxDepth, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>How many bytes there are.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes from a place on. They stay as they are until <see cref="Clear"/>, also when the buffer grows.</summary>
    public ArraySegment<byte> From(int start) => new(_bytes, start, Length - start);

    /// <summary>Forgets what was written behind a place, before anybody got it.</summary>
    public void TakeBack(int length) => Length = length;

    /// <summary>Begins again; memory that only a large document needed goes.</summary>
    public void Clear()
    {
        Length = 0;
        if (_bytes.Length > MostKept) _bytes = new byte[First];
    }

    public void Advance(int count) => Length += count;

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = Length + (long)Math.Max(1, sizeHint);
        if (needed > _bytes.Length)
        {
            if (needed > Array.MaxLength) throw WriteLimits.Default.Exceeded();
            var larger = new byte[Math.Min(Array.MaxLength, Math.Max(needed, 2L * _bytes.Length))];
            _bytes.AsSpan(0, Length).CopyTo(larger);
            _bytes = larger;
        }

        return _bytes.AsMemory(Length);
    }
}
