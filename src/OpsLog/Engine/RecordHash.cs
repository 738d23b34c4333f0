using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace OpsLog.Engine;

/// <summary>
/// The keyed hash of ids: whoever does not know the seed cannot choose ids that collide. Ids inside a slot are hashed as their two
/// words, longer ones sixteen bytes at a time, by 64 x 64 multiplications folded to one word.
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
        if (id.Length < 16)
            return OfFewBytes(id);

        // The products do not wait for each other; a key of its own for each place tells blocks that changed places apart.
        ulong key0 = _key0;
        ulong key1 = _key1;
        ulong sum = (ulong)id.Length * Finish0;
        ref byte at = ref MemoryMarshal.GetReference(id);
        for (int rest = id.Length - 16; rest > 0; rest -= 16)
        {
            sum += OfBlock(ref at, key0, key1);
            key0 += Finish0;
            key1 += Finish1;
            at = ref Unsafe.Add(ref at, 16);
        }

        // The last sixteen bytes, some of them again when the length is not a multiple.
        ref byte last = ref Unsafe.Add(ref MemoryMarshal.GetReference(id), id.Length - 16);
        return Mix((sum + OfBlock(ref last, key0, key1)) ^ Finish0, Finish1);
    }

    /// <summary>
    /// Copies an ASCII text of 16 characters or more as bytes and hashes them on the way, which spares a hot lookup a pass over bytes that
    /// were only just written. False for other text; the destination is then undefined.
    /// </summary>
    public bool TryOfAscii(ReadOnlySpan<char> text, Span<byte> destination, out ulong hash)
    {
        hash = 0;
        if (text.Length < 16 || destination.Length < text.Length)
            return false;
        ulong key0 = _key0;
        ulong key1 = _key1;
        ulong sum = (ulong)text.Length * Finish0;
        ref ushort from = ref Unsafe.As<char, ushort>(ref MemoryMarshal.GetReference(text));
        ref byte to = ref MemoryMarshal.GetReference(destination);
        Vector128<ushort> all = default;
        nuint last = (nuint)text.Length - 16;
        nuint at = 0;
        while (true)
        {
            Vector128<ushort> low = Vector128.LoadUnsafe(ref from, at);
            Vector128<ushort> high = Vector128.LoadUnsafe(ref from, at + 8);
            all |= low | high;
            Vector128<byte> bytes = Vector128.Narrow(low, high);
            bytes.StoreUnsafe(ref to, at);
            Vector128<ulong> words = bytes.AsUInt64();
            sum += Mix(words.ToScalar() ^ key0, words.GetElement(1) ^ key1);
            if (at == last)
                break;
            at = Math.Min(at + 16, last);
            key0 += Finish0;
            key1 += Finish1;
        }

        hash = Mix(sum ^ Finish0, Finish1);
        return (all & Vector128.Create((ushort)0xFF80)) == Vector128<ushort>.Zero;
    }

    private ulong OfFewBytes(ReadOnlySpan<byte> id)
    {
        Span<byte> padded = stackalloc byte[16];
        padded.Clear();
        id.CopyTo(padded);
        return Mix((((ulong)id.Length * Finish0) + OfBlock(ref padded[0], _key0, _key1)) ^ Finish0, Finish1);
    }

    private static ulong OfBlock(ref byte block, ulong key0, ulong key1) =>
        Mix(Unsafe.ReadUnaligned<ulong>(ref block) ^ key0, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref block, 8)) ^ key1);

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
