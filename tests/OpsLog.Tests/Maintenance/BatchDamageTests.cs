using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Maintenance;

/// <summary>Goal: half of an acknowledged batch is never shown (V3), whatever becomes of its other half (F6). Method: damage behind or in its last checksum, that leaves no checksum to look at.</summary>
public sealed class BatchDamageTests
{
    [Theory]
    [InlineData("a digit of the checksum")]
    [InlineData("a space behind it")]
    [InlineData("a carriage return behind it")]
    [InlineData("a digit and a space")]
    [InlineData("zeros all over")]
    [InlineData("zeros at its end")]
    [InlineData("spaces all over")]
    public async Task F6_a_batch_with_a_damaged_line_is_skipped_and_repaired_as_a_whole(string damage)
    {
        var disk = new MemoryStorage();
        await Lab.WriteSetAndBatchAsync(disk);
        var log = await Lab.LogAsync(disk);
        await Lab.ChangeAsync(disk, log, bytes => Damaged(bytes, damage));
        await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk);
        var skipping = Lab.ReadOnly(o => o.Recovery = Recovery.SkipCorrupt);
        Assert.Equal("k = {\"n\":1}", await Lab.StateAsync(disk, skipping));
        var target = new MemoryStorage();
        Assert.NotEmpty((await OpsStore.RepairAsync(disk, target)).Losses);
        Assert.Equal("k = {\"n\":1}", await Lab.StateAsync(target));
    }

    private static byte[] Damaged(byte[] bytes, string damage)
    {
        var (start, end) = Lab.LineOf(bytes, 2);
        if (damage.Contains("digit", StringComparison.Ordinal)) bytes[end - 4] = (byte)'G';
        if (damage.Contains("zeros", StringComparison.Ordinal)) bytes.AsSpan((damage.Contains("end", StringComparison.Ordinal) ? end - 40 : start)..(end - 1)).Clear();
        if (damage.Contains("spaces", StringComparison.Ordinal)) bytes.AsSpan(start..(end - 1)).Fill((byte)' ');
        return damage.Contains("return", StringComparison.Ordinal) ? [.. bytes[..^1], (byte)'\r', (byte)'\n']
            : damage.Contains("a space", StringComparison.Ordinal) || damage.Contains("and a space", StringComparison.Ordinal) ? [.. bytes[..^1], (byte)' ', (byte)'\n']
            : bytes;
    }
}
