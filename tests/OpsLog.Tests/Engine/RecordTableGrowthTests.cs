using System.Text;
using OpsLog.Engine;
using Xunit;

namespace OpsLog.Tests.Engine;

public sealed class RecordTableGrowthTests
{
    [Fact]
    public void A_million_records_are_all_found_and_all_enumerated_once()
    {
        const int count = 1_000_000;
        RecordTable table = new(11);
        byte[] id = new byte[16];
        for (int i = 0; i < count; i++)
            table.Set(Id(id, i), RecordTableTests.At(i));
        Assert.Equal(count, table.Count);
        for (int i = 0; i < count; i++)
        {
            if (!table.TryGet(Id(id, i), out RecordLocation location, out _, out _) || location.Offset != i)
                Assert.Fail($"Record {i} is not where it was put.");
        }

        Assert.False(table.TryGet(Id(id, count), out _, out _, out _));
        bool[] seen = new bool[count];
        foreach (RecordEntry entry in table)
        {
            if (seen[entry.Location.Offset])
                Assert.Fail("A record was shown twice.");
            seen[entry.Location.Offset] = true;
        }

        Assert.DoesNotContain(false, seen);
        Assert.InRange(table.Directory.Length, 1024, 8192);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(5_000)]
    [InlineData(200_000)]
    public void Batches_give_what_single_sets_give_presized_or_not(int presize)
    {
        const int count = 5_000;
        byte[] buffer = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, count).Select(i => $"{i:D6}")));
        RecordInsert[] records = Enumerable.Range(0, count + 500)
            .Select(i => new RecordInsert(i % count * 6, 6, RecordTableTests.At(i))).ToArray();
        RecordTable table = new(5);
        table.Presize(presize);
        table.SetMany(buffer, records);
        table.Presize(1_000_000);
        Assert.Equal(count, table.Count);
        for (int i = 0; i < count; i++)
        {
            Assert.True(table.TryGet($"{i:D6}", out RecordLocation location, out _, out _));
            Assert.Equal(i < 500 ? i + count : i, location.Offset);
        }
    }

    /// <summary>The ids of a segment lie in one array: what would be too much for one is divided, however few records they are, or swept if most of them are gone.</summary>
    [Fact]
    public void Long_ids_are_divided_by_their_bytes()
    {
        const int most = 4096, count = 300;
        RecordTable table = new(11) { MostIdBytes = most };
        for (int i = 0; i < count; i++)
            table.Set(LongId(i), RecordTableTests.At(i));
        for (int i = 0; i < count; i++)
        {
            Assert.True(table.TryGet(LongId(i), out RecordLocation location, out _, out _));
            Assert.Equal(i, location.Offset);
        }

        int shown = 0;
        foreach (RecordEntry entry in table)
            shown += LongId((int)entry.Location.Offset).AsSpan().SequenceEqual(entry.Handle.Id) ? 1 : 0;
        Assert.Equal(count, shown);
        Assert.All(table.Directory, segment => Assert.InRange(segment.IdBytes, 0, most + LongId(0).Length));
        int length = table.Directory.Length;
        for (int i = count; i < 20 * count; i++)
        {
            table.Set(LongId(i), RecordTableTests.At(i));
            table.Remove(LongId(i));
        }

        Assert.Equal(count, table.Count);
        Assert.InRange(table.Directory.Length, length, 4 * length);
        Assert.All(table.Directory, segment => Assert.InRange(segment.IdBytes, 0, most + LongId(0).Length));
    }

    /// <summary>Each segment has its share of the records and what chance brings besides: none has to be split, and no table is made larger for growth that may never come.</summary>
    [Theory]
    [InlineData(4_800)]
    [InlineData(9_500)]
    [InlineData(150_000)]
    public void A_presized_table_has_room_for_its_records_and_little_more(int count)
    {
        RecordTable table = new(5);
        table.Presize(count);
        int segments = table.Directory.Distinct().Count();
        for (int i = 0; i < count; i++)
            table.Set(Encoding.ASCII.GetBytes($"{i:D7}"), RecordTableTests.At(i));
        Assert.Equal(segments, table.Directory.Distinct().Count());
        Assert.InRange(count, segments * RecordSegment.NormalCapacity / 2, segments * RecordSegment.NormalCapacity * 3 / 4);
    }

    [Theory]
    [InlineData("")]
    [InlineData("and sixteen more")]
    public void Ids_with_equal_hashes_work_without_a_large_directory(string suffix)
    {
        // With this key the product of a block that begins so is 0, whatever its second half.
        RecordTable table = new(new RecordHash(BitConverter.ToUInt64("AAAAAAAA"u8), 99));
        const int count = 3_000;
        const string prefix = "AAAAAAAA";
        for (int i = 0; i < count; i++)
            table.Set(Encoding.ASCII.GetBytes($"{prefix}{i:D8}{suffix}"), RecordTableTests.At(i));
        Assert.Equal(count, table.Count);
        Assert.InRange(table.Directory.Length, 2, count / 32);
        for (int i = 0; i < count; i++)
        {
            Assert.True(table.TryGet($"{prefix}{i:D8}{suffix}", out RecordLocation location, out _, out _));
            Assert.Equal(i, location.Offset);
        }

        for (int i = 0; i < count; i += 2)
            table.Remove(Encoding.ASCII.GetBytes($"{prefix}{i:D8}{suffix}"));
        Assert.Equal(count / 2, table.Count);
        for (int i = 0; i < count; i++)
            Assert.Equal(i % 2 == 1, table.TryGet($"{prefix}{i:D8}{suffix}", out _, out _, out _));
    }

    [Fact]
    public void Records_that_come_and_go_do_not_grow_the_table()
    {
        RecordTable table = new(5);
        byte[] id = new byte[16];
        for (int i = 0; i < 400_000; i++)
        {
            table.Set(Id(id, i), RecordTableTests.At(i));
            if (i >= 2_000)
                table.Remove(Id(id, i - 2_000));
        }

        Assert.Equal(2_000, table.Count);
        Assert.InRange(table.Directory.Length, 2, 8);
    }

    [Fact]
    public void Seeds_place_records_differently()
    {
        RecordTable first = new(1);
        RecordTable second = new(2);
        for (int i = 0; i < 50; i++)
        {
            first.Set(Encoding.ASCII.GetBytes($"{i}"), RecordTableTests.At(i));
            second.Set(Encoding.ASCII.GetBytes($"{i}"), RecordTableTests.At(i));
        }

        Assert.NotEqual(Order(first), Order(second));

        static List<long> Order(RecordTable table)
        {
            List<long> order = [];
            foreach (RecordEntry entry in table)
                order.Add(entry.Location.Offset);
            return order;
        }
    }

    [Fact]
    public void A_get_allocates_nothing()
    {
        RecordTable table = new(5);
        string[] ids = ["short", "exactly-16-bytes", "a-longer-id-of-36-bytes-like-a-guid.", "日本語日本語", "\ud800", ""];
        foreach (string id in ids)
            table.Set(RecordTableTests.Wtf8(id), RecordTableTests.At(1));

        Assert.True(Found(1));
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool all = Found(1_000);
        long after = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(all);
        Assert.Equal(0, after - before);

        bool Found(int rounds)
        {
            bool found = true;
            for (int round = 0; round < rounds; round++)
            {
                foreach (string id in ids)
                {
                    table.TryGetValueFast(id, out _, out bool fast);
                    found &= fast && table.TryGet(id, out _, out _, out _);
                }
            }

            return found;
        }
    }

    private static ReadOnlySpan<byte> Id(byte[] buffer, int number)
    {
        "task-"u8.CopyTo(buffer);
        number.TryFormat(buffer.AsSpan(5), out int digits);
        return buffer.AsSpan(0, 5 + digits);
    }

    private static byte[] LongId(int number) => Encoding.ASCII.GetBytes($"{number:D200}");
}
