using System.Buffers;
using System.Runtime.InteropServices;
using OpsLog.Engine;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: what a refresh keeps of a read keeps nothing else in memory. Method: parts of arrays, and of memory that is none.</summary>
public sealed class ObjectPartTests
{
    /// <summary>What a refresh read stays in memory; what it was cut out of need not, and what needs nobody to keep it can be left to the disk.</summary>
    [Fact]
    public void A_part_is_kept_without_what_it_was_cut_out_of()
    {
        var (owner, bytes) = (new object(), new byte[100]);
        Assert.Equal((bytes.AsMemory(50), null), Part(bytes.AsMemory(50)).ToKeep());
        var (copy, none) = Part(bytes.AsMemory(60)).ToKeep();
        Assert.Null(none);
        Assert.True(MemoryMarshal.TryGetArray(copy, out var segment) && segment.Array!.Length == 40);
        using var native = new NativeMemory();
        Assert.Equal((native.Memory, owner), Part(native.Memory).ToKeep());

        ObjectPart Part(ReadOnlyMemory<byte> memory) => new(0, 0, memory, true, owner, new StorageKey("ops/x"));
    }

    // Memory that is no array, as mapped memory is not.
    private sealed class NativeMemory : MemoryManager<byte>
    {
        private readonly byte[] _bytes = new byte[8];

        public override Span<byte> GetSpan() => _bytes;

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
