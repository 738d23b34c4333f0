using System.Text;
using OpsLog.Engine;
using Xunit;

namespace OpsLog.Tests.Engine;

public sealed class RecordTableIdTests
{
    public static TheoryData<string> Ids =>
    [
        .. Enumerable.Range(0, 40).Select(length => "abcdefghijklmnopqrstuvwxyz0123456789-ABCD"[..length]),
        "\0", "\0\0", "a\0", "a\0b", "abcdefgh\0", "abcdefghi\0klmnop", "é", "éé", "ééééééééé",
        "日本語", "日本語日本語", "😀", "😀😀😀😀", "😀😀😀😀😀",
        "abcdefghijklmnopqrs\0tuvwxyz", "abcdefghijklmnopqrstuvwxyzé",
        "\ud800", "\udfff", "a\ud800b", "\udc00\ud800", "\ud800😀", "__proto__", "line\nbreak", "\u007f", "\u0080",
        "Ā", "abcdefgĀ", "Āabcdefgh",
        new string('k', 4096), new string('日', 4096), new string('\ud800', 600),
    ];

    [Theory]
    [MemberData(nameof(Ids), DisableDiscoveryEnumeration = true)]
    public void Every_id_is_found_as_text_and_as_bytes_among_all_others(string id)
    {
        RecordTable table = new(3);
        string[] all = Ids.Select(row => row.Data).ToArray();
        for (int i = 0; i < all.Length; i++)
            table.Set(RecordTableTests.Wtf8(all[i]), RecordTableTests.At(i));
        Assert.Equal(all.Length, table.Count);
        int mine = Array.IndexOf(all, id);
        Assert.True(table.TryGet(id, out RecordLocation location, out _, out RecordHandle handle));
        Assert.Equal(RecordTableTests.At(mine), location);
        Assert.True(table.TryGet(RecordTableTests.Wtf8(id), out location, out _, out _));
        Assert.Equal(RecordTableTests.At(mine), location);
        Assert.Equal(id, handle.IdText());
        Assert.Equal(RecordTableTests.Wtf8(id), handle.Id.ToArray());
        Assert.False(table.TryGet(id + "?", out _, out _, out _));
        Assert.False(table.TryGet(id + "\0?", out _, out _, out _));
    }

    [Fact]
    public void Ids_that_differ_in_one_byte_are_different_at_every_length()
    {
        RecordTable table = new(3);
        for (int length = 1; length <= 70; length++)
        {
            byte[] id = Enumerable.Repeat((byte)'a', length).ToArray();
            table.Set(id, RecordTableTests.At(length));
            for (int at = 0; at < length; at++)
            {
                byte[] other = [.. id];
                other[at] = (byte)'b';
                Assert.False(table.TryGet(other, out _, out _, out _));
            }
        }

        for (int length = 1; length <= 70; length++)
        {
            Assert.True(table.TryGet(new string('a', length), out RecordLocation location, out _, out _));
            Assert.Equal(RecordTableTests.At(length), location);
        }
    }

    [Fact]
    public void An_id_above_the_limit_is_refused_and_changes_nothing()
    {
        RecordTable table = new(3);
        byte[] id = new byte[RecordKey.MaxIdLength + 1];
        Assert.Throws<OpsLogException>(() => table.Set(id, RecordTableTests.At(1)));
        Assert.Equal(0, table.Count);
        table.Set(id.AsSpan(1), RecordTableTests.At(1));
        Assert.True(table.TryGet(id.AsSpan(1), out _, out _, out _));
    }

    [Fact]
    public void A_record_without_a_location_is_refused()
    {
        RecordTable table = new(3);
        Assert.Throws<ArgumentException>(() => table.Set("a"u8, default));
        Assert.Equal(0, table.Count);
    }

    [Theory]
    [InlineData(0, 0L, 0)]
    [InlineData(1, 1L, 1)]
    [InlineData(RecordLocation.MaxExtent, RecordLocation.MaxOffset, int.MaxValue)]
    [InlineData(77, 1234567890123L % RecordLocation.MaxOffset, 343)]
    public void A_location_keeps_its_parts(int extent, long offset, int length)
    {
        foreach (bool tombstone in new[] { false, true })
        {
            RecordLocation location = RecordLocation.Create(extent, offset, length, tombstone);
            Assert.Equal((extent, offset, tombstone), (location.Extent, location.Offset, location.IsTombstone));
            Assert.Equal(!tombstone, location.IsLive);
            Assert.False(location.IsNone);
        }
    }

    [Fact]
    public void A_length_hint_is_never_too_short_and_at_most_an_eighth_too_long()
    {
        for (long length = 1; length < int.MaxValue; length += 1 + (length / 37))
        {
            int hint = RecordLocation.Create(0, 0, (int)length, false).LengthHint;
            Assert.InRange(hint, length, Math.Max(9, length + (length / 8)));
        }

        Assert.Equal(0, RecordLocation.Create(0, 0, 0, false).LengthHint);
        Assert.Equal(int.MaxValue, RecordLocation.Create(0, 0, int.MaxValue, false).LengthHint);
    }

    [Fact]
    public void A_location_out_of_range_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => RecordLocation.Create(-1, 0, 0, false));
        Assert.Throws<ArgumentOutOfRangeException>(() => RecordLocation.Create(RecordLocation.MaxExtent + 1, 0, 0, false));
        Assert.Throws<ArgumentOutOfRangeException>(() => RecordLocation.Create(0, -1, 0, false));
        Assert.Throws<ArgumentOutOfRangeException>(() => RecordLocation.Create(0, RecordLocation.MaxOffset + 1, 0, false));
        Assert.Throws<ArgumentOutOfRangeException>(() => RecordLocation.Create(0, 0, -1, false));
    }
}
