using OpsLog.Engine;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Engine;

public sealed class RecordTableTests
{
    [Fact]
    public void A_new_table_finds_nothing()
    {
        RecordTable table = new(1);
        Assert.Equal(0, table.Count);
        Assert.False(table.TryGet("a", out RecordLocation location, out object? value, out _));
        Assert.True(location.IsNone);
        Assert.Null(value);
        Assert.Null(table.TryGetValueFast("a", out _, out bool found));
        Assert.False(found);
        foreach (RecordEntry _ in table)
            Assert.Fail("An empty table has no entry.");
    }

    [Fact]
    public void An_update_forgets_the_document_and_refuses_the_late_one()
    {
        RecordTable table = new(1);
        table.Set("a"u8, At(1));
        Assert.True(table.TryGet("a", out RecordLocation first, out _, out RecordHandle handle));
        Assert.Equal("one", table.TryCache(handle, first, "one"));
        Assert.Equal("one", table.TryGetValueFast("a", out _, out _));
        table.Set("a"u8, At(2));
        Assert.Null(table.TryGetValueFast("a", out _, out bool found));
        Assert.True(found);
        Assert.Equal("late", table.TryCache(handle, first, "late"));
        Assert.True(table.TryGet("a", out RecordLocation second, out object? value, out _));
        Assert.Equal(At(2), second);
        Assert.Null(value);
    }

    [Fact]
    public void The_first_document_kept_is_the_one_that_all_get()
    {
        RecordTable table = new(1);
        table.Set("a"u8, At(1));
        Assert.True(table.TryGet("a"u8, out RecordLocation seen, out _, out RecordHandle handle));
        Assert.Equal("one", table.TryCache(handle, seen, "one"));
        Assert.Equal("one", table.TryCache(handle, seen, "two"));
    }

    [Fact]
    public void A_version_that_moved_keeps_its_document()
    {
        RecordTable table = new(1);
        table.Set("a"u8, At(1));
        Assert.True(table.TryGet("a", out RecordLocation seen, out _, out RecordHandle handle));
        table.TryCache(handle, seen, "one");
        Assert.True(table.Repoint("a"u8, seen, At(5)));
        Assert.False(table.Repoint(handle, seen, At(6)));
        Assert.True(table.Repoint(handle, At(5), At(6)));
        Assert.True(table.TryGet("a", out RecordLocation moved, out object? value, out _));
        Assert.Equal(At(6), moved);
        Assert.Equal("one", value);
    }

    [Fact]
    public void Tombstones_and_removed_records_are_counted_apart()
    {
        RecordTable table = new(1);
        table.Set("a"u8, At(1));
        table.Set("b"u8, At(2, tombstone: true));
        table.Set("a"u8, At(3, tombstone: true));
        Assert.Equal((0, 2), (table.Count, table.Tombstones));
        Assert.True(table.TryGet("a", out RecordLocation location, out _, out _));
        Assert.True(location.IsTombstone);
        Assert.Null(table.TryGetValueFast("a", out _, out bool found));
        Assert.False(found);
        table.Remove("a"u8);
        table.Remove("a"u8);
        table.Remove("never there"u8);
        Assert.Equal((0, 1), (table.Count, table.Tombstones));
        Assert.False(table.TryGet("a", out _, out _, out _));
        table.Set("a"u8, At(4));
        Assert.Equal((1, 1), (table.Count, table.Tombstones));
    }

    internal static RecordLocation At(long offset, bool tombstone = false) => RecordLocation.Create(1, offset, 0, tombstone);

    internal static byte[] Wtf8(string id)
    {
        byte[] bytes = new byte[JsonText.MaxWtf8(id.Length)];
        return bytes[..JsonText.ToWtf8(id, bytes)];
    }
}
