using System.Buffers.Binary;

namespace OpsLog.Engine;

/// <summary>
/// The keyed hash of ids: whoever does not know the seed cannot choose ids that collide. Ids inside a slot are hashed as their two
/// words, longer ones sixteen bytes at a time, each step a 64 x 64 multiplication folded to one word.
/// </summary>
internal readonly struct RecordHash
{
    private const ulong Finish0 = 0xA0761D6478BD642F;
    private const ulong Finish1 = 0xE7037ED1A0B428DB;
    private readonly ulong _key0;
    private readonly ulong _key1;

    /// <summary>Keys from a seed; any seed will do.</summary>
    public RecordHash(ulong seed)
        : this(Spread(seed + 0x9E3779B97F4A7C15), Spread(seed + 0x3C6EF372FE94F82A))
    {
    }

    /// <summary>The keys themselves, for tests that need ids which collide.</summary>
    internal RecordHash(ulong key0, ulong key1)
    {
        _key0 = key0;
        _key1 = key1;
    }

    /// <summary>The hash of an id that lies in two words.</summary>
    public ulong OfWords(ulong id0, ulong id1) => Mix(Mix(id0 ^ _key0, id1 ^ _key1) ^ Finish0, Finish1);

    /// <summary>The hash of an id of any length.</summary>
    public ulong OfBytes(ReadOnlySpan<byte> id)
    {
        ulong state = _key1 ^ (ulong)id.Length;
        ReadOnlySpan<byte> rest = id;
        while (rest.Length > 16)
        {
            state = Mix(Word(rest) ^ _key0, Word(rest[8..]) ^ state);
            rest = rest[16..];
        }

        // The last sixteen bytes, again where they overlap; the length in the state tells padded ids apart.
        if (id.Length >= 16)
            return Finish(id[^16..], state);
        Span<byte> padded = stackalloc byte[16];
        padded.Clear();
        id.CopyTo(padded);
        return Finish(padded, state);
    }

    private ulong Finish(ReadOnlySpan<byte> last, ulong state) =>
        Mix(Mix(Word(last) ^ _key0, Word(last[8..]) ^ state) ^ Finish0, Finish1 ^ state);

    private static ulong Word(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt64LittleEndian(bytes);

    private static ulong Mix(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return high ^ low;
    }

    // SplitMix64's finisher: neighbouring seeds give unrelated keys.
    private static ulong Spread(ulong seed)
    {
        seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9;
        seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EB;
        return seed ^ (seed >> 31);
    }
}
