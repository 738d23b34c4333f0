namespace OpsLog.Storage;

/// <summary>The content of a put, read in parts of one size; the last may be shorter.</summary>
internal sealed class PartSource(Stream content, int partSize)
{
    private byte[] _buffer = [];

    /// <summary>Whether everything has been read.</summary>
    public bool IsAtEnd { get; private set; }

    /// <summary>The next part; of no bytes at the end of a content that fills its parts, or is empty.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> NextAsync(CancellationToken ct)
    {
        // Small contents are the rule, and most of them know how long they are.
        var size = content.CanSeek ? (int)Math.Clamp(content.Length - content.Position + 1, 1, partSize) : Math.Min(partSize, 64 << 10);
        _buffer = GC.AllocateUninitializedArray<byte>(size);
        var used = 0;
        while (true)
        {
            used += await content.ReadAtLeastAsync(_buffer.AsMemory(used), _buffer.Length - used, throwOnEndOfStream: false, ct).ConfigureAwait(false);
            if (used < _buffer.Length)
            {
                IsAtEnd = true;
                return _buffer.AsMemory(0, used);
            }

            if (used == partSize) return _buffer;
            Array.Resize(ref _buffer, Math.Min(partSize, used * 2));
        }
    }
}
