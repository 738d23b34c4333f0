// Goal: a snapshot in a folder is read whole, whatever its lines' lengths. Method: snapshots that are mapped and read in parts, with lines that end in one part and begin in
// another, and lines longer than a part.
using System.Globalization;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.Engine;

public sealed class SnapshotLoadTests
{
    private static readonly int[] s_lengths = [1, 300, 70_000, 262_000, 262_144, 300_000, 1_500_000];

    [Theory]
    [InlineData(DocumentPlacement.InMemory)]
    [InlineData(DocumentPlacement.OnDisk)]
    public async Task Lines_of_any_length_are_all_there_after_the_snapshot_was_read_in_parts(DocumentPlacement placement)
    {
        using var folder = new TempFolder();
        var expected = new Dictionary<string, string>();
        var random = new Random(7);
        for (var i = 0; i < 200; i++) expected[string.Create(CultureInfo.InvariantCulture, $"record-{i}")] = new string((char)('a' + (i % 26)), random.Next(1, 9000));
        for (var i = 0; i < s_lengths.Length; i++) expected[string.Create(CultureInfo.InvariantCulture, $"long-{i}")] = new string((char)('A' + i), s_lengths[i]);
        await using (var store = await OpsStore<Text>.OpenAsync(folder.Path))
        {
            foreach (var (id, text) in expected) await store.SetAsync(id, new Text(text));
            await store.CompactAsync();
        }

        await using var again = await OpsStore<Text>.OpenAsync(folder.Path, new OpsStoreOptions { Documents = placement });
        Assert.Equal(expected.Count, again.Count);
        foreach (var (id, text) in expected) Assert.Equal(text, again[id].Value);
        await again.CompactAsync();
        foreach (var (id, text) in expected) Assert.Equal(text, again[id].Value);
    }

    internal sealed record Text(string Value);
}
