using System.Buffers;
using System.Text;

namespace OpsLog.Format;

/// <summary>Whole JSON objects that end in a checksum of their own minified bytes: snapshot headers, the history index, archives, the manifest's member.</summary>
internal static class Checksummed
{
    /// <summary>Ends an object that was written minified and without its closing brace.</summary>
    public static void Finish(IBufferWriter<byte> output, ReadOnlySpan<byte> open)
    {
        output.Write(open);
        var tail = output.GetSpan(JsonLines.ChecksumTail)[..JsonLines.ChecksumTail];
        ",\"crc\":\""u8.CopyTo(tail);
        JsonLines.WriteHex(tail[8..], JsonLines.Checksum(open));
        "\"}"u8.CopyTo(tail[16..]);
        output.Advance(JsonLines.ChecksumTail);
    }

    /// <summary>What is wrong with the checksum of minified JSON, place-independent; empty if it holds or there is none.</summary>
    public static string Fault(ReadOnlySpan<byte> minified, out bool hasChecksum)
    {
        hasChecksum = JsonLines.ChecksumHolds(minified, offset: null);
        if (hasChecksum) return "";
        if (JsonLines.HasChecksumTail(minified))
            return $"the checksum does not hold: it says {Encoding.ASCII.GetString(minified[^10..^2])}, the bytes give {JsonLines.Hex(JsonLines.Checksum(minified[..^JsonLines.ChecksumTail]))}";
        return JsonLines.HasDamagedChecksumTail(minified) ? "the checksum itself is damaged" : "";
    }
}
