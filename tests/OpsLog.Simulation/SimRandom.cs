using System.Numerics;
using System.Runtime.InteropServices;

namespace OpsLog.Simulation;

/// <summary>A small random source (SplitMix64): the same seed gives the same numbers, on every machine and version.</summary>
internal struct SimRandom(ulong seed)
{
    private ulong _state = Hashing.Mix(seed + 0x9E3779B97F4A7C15);

    public ulong NextBits()
    {
        _state += 0x9E3779B97F4A7C15;
        return Hashing.Mix(_state);
    }

    /// <summary>A number from 0 to below <paramref name="bound"/>.</summary>
    public int Next(int bound) => (int)(((UInt128)NextBits() * (ulong)bound) >> 64);

    /// <summary>True so many times in a thousand.</summary>
    public bool Chance(int permille) => permille > 0 && Next(1000) < permille;

    public T Pick<T>(ReadOnlySpan<T> from) => from[Next(from.Length)];

    /// <summary>A source of its own, that depends on this one's seed alone.</summary>
    public SimRandom Fork() => new(NextBits());
}

/// <summary>Hashes that are the same in every run.</summary>
internal static class Hashing
{
    private const ulong Basis = 0xCBF29CE484222325;

    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    public static ulong Add(ulong hash, ulong value) => Mix(BitOperations.RotateLeft(hash, 23) ^ (value + 0x9E3779B97F4A7C15));

    public static ulong Of(string text, ulong hash = Basis) => Of(MemoryMarshal.AsBytes(text.AsSpan()), hash);

    public static ulong Of(ReadOnlySpan<byte> bytes, ulong hash = Basis)
    {
        hash = Add(hash, (ulong)bytes.Length);
        for (; bytes.Length >= 8; bytes = bytes[8..]) hash = Add(hash, BitConverter.ToUInt64(bytes));
        ulong rest = 0;
        foreach (var b in bytes) rest = (rest << 8) | b;
        return Add(hash, rest);
    }
}
