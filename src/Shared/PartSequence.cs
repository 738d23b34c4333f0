using System.Buffers;

namespace OpsLog.Storage;

/// <summary>Collects all parts of a content in memory, for a server that takes it in one request only.</summary>
internal sealed class PartSequence : ReadOnlySequenceSegment<byte>
{
    private PartSequence(ReadOnlyMemory<byte> part, long start) => (Memory, RunningIndex) = (part, start);

    /// <param name="first">The part that has been read.</param>
    /// <param name="source">Where the others come from.</param>
    /// <param name="ct">Cancels it.</param>
    public static async ValueTask<ReadOnlySequence<byte>> CollectAsync(ReadOnlyMemory<byte> first, PartSource source, CancellationToken ct)
    {
        var begin = new PartSequence(first, 0);
        var end = begin;
        while (!source.IsAtEnd)
        {
            var next = new PartSequence(await source.NextAsync(ct).ConfigureAwait(false), end.RunningIndex + end.Memory.Length);
            end.Next = next;
            end = next;
        }

        return new ReadOnlySequence<byte>(begin, 0, end, end.Memory.Length);
    }
}
