using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace OpsLog;

/// <summary>
/// CRC-32C (Castagnoli, reflected, initial value and final exclusive-or 0xFFFFFFFF) over bytes that arrive in pieces. A mutable struct:
/// keep it in a variable or field, do not copy it. Make it with <see cref="Start"/>.
/// </summary>
internal struct Crc32C
{
    // The inverse of the running value, so that default is a started checksum.
    private uint _inverse;

    /// <summary>A checksum of nothing yet.</summary>
    public static Crc32C Start() => default;

    /// <summary>The checksum of everything appended so far.</summary>
    public readonly uint Value => _inverse;

    /// <summary>Goes on with more bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes) => _inverse = ~Update(~_inverse, bytes);

    /// <summary>Goes on with the eight bytes of a number, least significant first.</summary>
    public void Append(long number) => _inverse = ~BitOperations.Crc32C(~_inverse, (ulong)number);

    /// <summary>The checksum of all these bytes.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => ~Update(uint.MaxValue, bytes);

    /// <summary>The raw register after more bytes: neither initialised nor inverted here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static uint Update(uint register, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            register = BitOperations.Crc32C(register, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (var b in bytes) register = BitOperations.Crc32C(register, b);
        return register;
    }
}
