using System.Buffers;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>
/// A part of a file as memory. Whoever holds the <see cref="Memory{T}"/> keeps the mapping alive; a span alone does not. Undisposed it
/// goes with the view handle's own finaliser. On POSIX it outlives the file's deletion; on Windows the file can't be deleted before.
/// </summary>
internal sealed unsafe class MappedMemory : MemoryManager<byte>
{
    /// <summary>The most bytes in one mapping.</summary>
    public const long MaxLength = 1L << 30;

    private readonly MemoryMappedViewAccessor _view;
    private readonly int _length;
    private byte* _start;

    public MappedMemory(SafeFileHandle handle, long offset, int length)
    {
        _length = length;
        using var file = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = file.CreateViewAccessor(offset, length, MemoryMappedFileAccess.Read);
        _start = (byte*)_view.SafeMemoryMappedViewHandle.DangerousGetHandle() + _view.PointerOffset;
    }

    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_start is null, typeof(StoredObject));
        return new Span<byte>(_start, _length);
    }

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ObjectDisposedException.ThrowIf(_start is null, typeof(StoredObject));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)_length, nameof(elementIndex));
        return new MemoryHandle(_start + elementIndex, pinnable: this);
    }

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        _start = null;
        if (disposing) _view.Dispose();
    }
}
