using System.Text;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>Goal: what docs/format.md says of changing a line by hand works (Checksums). Method: it is done, in the middle of a log.</summary>
public sealed class HandEditTests
{
    [Fact]
    public async Task A_line_that_is_changed_in_place_with_spaces_for_its_checksum_counts_as_one_without()
    {
        var disk = await MakeAsync();
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes =>
        {
            var (start, end) = Lab.LineOf(bytes, 1);
            var line = Encoding.UTF8.GetString(bytes[start..(end - 1)]);
            var changed = line.Replace("\"n\":2", "\"n\":7", StringComparison.Ordinal)[..^18] + "}" + new string(' ', 17);
            Assert.Equal(line.Length, changed.Length);
            Encoding.UTF8.GetBytes(changed).CopyTo(bytes, start);
            return bytes;
        });
        const string expected = "a = {\"n\":1}\nb = {\"n\":7}\nc = {\"n\":3}";
        Assert.Equal(expected, await Lab.StateAsync(disk));
        await using (var store = await Lab.OpenAsync(disk))
        {
            Assert.Equal(expected, Runs.Text(store));
            await store.SetAsync("d", Lab.Doc(4));
        }

        var report = await OpsStore.VerifyAsync(disk);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
        Assert.Equal(expected + "\nd = {\"n\":4}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task A_line_that_gets_shorter_damages_all_behind_it()
    {
        var disk = await MakeAsync();
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes =>
        {
            var (_, end) = Lab.LineOf(bytes, 1);
            return [.. bytes[..(end - 19)], .. "}\n"u8, .. bytes[end..]];
        });
        Assert.Equal(3, (await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk)).Damage!.Line);
    }

    private static async Task<MemoryStorage> MakeAsync()
    {
        var disk = new MemoryStorage();
        await using var store = await Lab.OpenAsync(disk);
        foreach (var (id, n) in new[] { ("a", 1), ("b", 2), ("c", 3) }) await store.SetAsync(id, Lab.Doc(n));
        return disk;
    }
}
