using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>Checks a line that was read from where it is stored once more: opening checked it, but the disk may have made something else of it since.</summary>
internal static class StoredLine
{
    /// <param name="name">The object's name.</param>
    /// <param name="line">The line, without its newline.</param>
    /// <param name="start">Where it begins in the object.</param>
    /// <param name="isLog">Whether the object is a log, where checksums hold the line's place, and lines may be void or blank.</param>
    /// <exception cref="OpsLogException">It is damaged.</exception>
    public static void Check(string name, ReadOnlySpan<byte> line, long start, bool isLog)
    {
        if (JsonLines.ChecksumHolds(line, isLog ? start : null) || (isLog && (line is [.., (byte)'#'] || JsonLines.IsBlank(line)))) return;
        throw LogScanner.Refused(new Damage(DamageKind.CorruptLine, name, 0, start, line.Length, $"the line at offset {start} is not what was checked when it was read before: its checksum does not hold"));
    }
}
