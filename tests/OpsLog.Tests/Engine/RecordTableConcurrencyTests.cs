using System.Text;
using OpsLog.Engine;
using Xunit;

namespace OpsLog.Tests.Engine;

// Goal: readers, enumerators, views and materialisers beside one writer never see what did not happen.
// Method: every document says from which record and location it was made; every reader checks that. Iterations are counted, not timed.
public sealed class RecordTableConcurrencyTests
{
    private const int Ids = 3_000;
    private const int Changes = 300_000;

    private static readonly string[] s_ids = Enumerable.Range(0, Ids)
        .Select(i => i % 3 == 0 ? $"a-rather-long-id-of-some-kind-{i}" : $"task-{i}").ToArray();

    private static readonly byte[][] s_bytes = s_ids.Select(Encoding.ASCII.GetBytes).ToArray();

    private sealed record Document(int Id, RecordLocation Location);

    [Fact]
    public void An_enumerator_that_goes_by_while_a_segment_is_divided_shows_no_record_twice_and_misses_none()
    {
        RecordTable table = new(9);
        int divided = 0, count = 0;
        table.Splitting = () =>
        {
            divided++;
            HashSet<string> seen = [];
            foreach (RecordEntry entry in table)
                Assert.True(seen.Add(entry.Handle.IdText()), "A record was shown twice.");
            Assert.Equal(count, seen.Count);
        };
        for (; count < 10 * Ids; count++)
            table.Set(Encoding.ASCII.GetBytes($"task-{count}"), RecordTableTests.At(count));
        Assert.InRange(divided, 10, 1000);
    }

    [Fact]
    public async Task Readers_and_materialisers_always_meet_a_document_of_its_own_location()
    {
        RecordTable table = new(9);
        long[] newest = new long[Ids];
        Task writer = Task.Run(() => Write(table, newest, new Random(1), withViews: false));
        await Task.WhenAll(Read(2), Read(3), Task.Run(Scan), writer);

        Task Read(int seed) => Task.Run(() =>
        {
            Random random = new(seed);
            while (!writer.IsCompleted)
                ReadOne(table, newest, random.Next(Ids));
        });

        void Scan()
        {
            while (!writer.IsCompleted)
            {
                foreach (RecordEntry entry in table)
                {
                    if (entry.Value is Document document)
                        Assert.Equal(document.Location, entry.Location);
                    else
                        table.TryCache(entry.Handle, entry.Location, new Document((int)(entry.Location.Offset % Ids), entry.Location));
                }
            }
        }
    }

    [Fact]
    public async Task A_location_and_its_document_belong_together_even_in_a_record_that_never_rests()
    {
        RecordTable table = new(9);
        Task writer = Task.Run(() =>
        {
            for (int change = 1; change <= Changes; change++)
            {
                RecordLocation location = RecordLocation.Create(0, change, 0, false);
                table.Set(s_bytes[0], location);
                Assert.True(table.TryGet(s_ids[0], out RecordLocation seen, out _, out RecordHandle handle));
                table.TryCache(handle, seen, new Document(0, location));
            }
        });
        await Task.WhenAll(writer, Task.Run(Get), Task.Run(Enumerate));

        void Get()
        {
            while (!writer.IsCompleted)
            {
                if (table.TryGet(s_ids[0], out RecordLocation location, out object? value, out _) && value is Document document)
                    Assert.Equal(location, document.Location);
            }
        }

        void Enumerate()
        {
            while (!writer.IsCompleted)
            {
                foreach (RecordEntry entry in table)
                    Assert.True(entry.Value is not Document document || document.Location == entry.Location);
            }
        }
    }

    [Fact]
    public async Task A_record_present_throughout_is_enumerated_exactly_once_while_the_table_splits()
    {
        const int stable = 2_000;
        const int added = 200_000;
        RecordTable table = new(9);
        for (int i = 0; i < stable; i++)
            table.Set(Encoding.ASCII.GetBytes($"stable-{i}"), RecordLocation.Create(1, i, 0, false));
        Task writer = Task.Run(() =>
        {
            for (int i = 0; i < added; i++)
            {
                byte[] id = Encoding.ASCII.GetBytes($"added-{i}");
                table.Set(id, RecordLocation.Create(2, i, 0, false));
                if (i % 3 == 0)
                    table.Remove(id);
                if (i % 1000 == 0)
                    table.View();
                int moved = i % stable;
                table.Set(Encoding.ASCII.GetBytes($"stable-{moved}"), RecordLocation.Create(1, moved, i, false));
            }
        });
        await Task.WhenAll(writer, Task.Run(Enumerate), Task.Run(Enumerate));

        void Enumerate()
        {
            do
            {
                HashSet<string> seen = new(StringComparer.Ordinal);
                bool[] met = new bool[stable];
                foreach (RecordEntry entry in table)
                {
                    Assert.True(seen.Add(entry.Handle.IdText()), "A record was shown twice.");
                    if (entry.Location.Extent == 1)
                        met[entry.Location.Offset] = true;
                }

                Assert.DoesNotContain(false, met);
            }
            while (!writer.IsCompleted);
        }
    }

    [Fact]
    public async Task A_view_stays_as_it_was_while_the_table_changes()
    {
        RecordTable table = new(9);
        List<Task> checks = [];
        int[] model = new int[Ids];
        Random random = new(5);
        for (int change = 1; change <= Changes; change++)
        {
            int id = random.Next(Ids);
            model[id] = change;
            table.Set(s_bytes[id], RecordLocation.Create(0, (change * (long)Ids) + id, 0, change % 11 == 0));
            if (change % (Changes / 20) == 0)
            {
                RecordTableView view = table.View();
                int[] copy = [.. model];
                checks.Add(Task.Run(() => CheckView(table, view, copy)));
            }
        }

        await Task.WhenAll(checks);

        static void CheckView(RecordTable table, RecordTableView view, int[] expected)
        {
            for (int round = 0; round < 5; round++)
            {
                int records = 0;
                foreach (RecordEntry entry in view.WithTombstones())
                {
                    records++;
                    Assert.Equal(expected[entry.Location.Offset % Ids], entry.Location.Offset / Ids);
                    Document made = new((int)(entry.Location.Offset % Ids), entry.Location);
                    Assert.Equal(made, table.TryCache(entry.Handle, entry.Location, made));
                }

                Assert.Equal(expected.Count(change => change != 0), records);
                Assert.Equal(records, view.Count + view.Tombstones);
                for (int id = 0; id < Ids; id++)
                {
                    Assert.Equal(expected[id] != 0, view.TryGet(s_ids[id], out RecordLocation location, out object? value, out _));
                    Assert.Equal(expected[id], location.Offset / Ids);
                    Assert.True(value is not Document document || document.Location == location);
                }
            }
        }
    }

    [Fact]
    public async Task Views_beside_readers_and_materialisers_lose_no_change()
    {
        RecordTable table = new(9);
        long[] newest = new long[Ids];
        Task writer = Task.Run(() => Write(table, newest, new Random(1), withViews: true));
        await Task.WhenAll(writer, Task.Run(Read), Task.Run(Read));
        for (int id = 0; id < Ids; id++)
        {
            Assert.Equal(newest[id] != 0, table.TryGet(s_ids[id], out RecordLocation location, out _, out _));
            Assert.Equal(newest[id], location.Offset / Ids);
        }

        void Read()
        {
            Random random = new(7);
            while (!writer.IsCompleted)
                ReadOne(table, newest, random.Next(Ids));
        }
    }

    // A change is announced after it is made, so that a reader that looks first must find that one or a later one.
    private static void Write(RecordTable table, long[] newest, Random random, bool withViews)
    {
        for (int change = 1; change <= Changes; change++)
        {
            int id = random.Next(Ids);
            RecordLocation location = RecordLocation.Create(0, (change * (long)Ids) + id, 0, change % 11 == 0);
            table.Set(s_bytes[id], location);
            Volatile.Write(ref newest[id], change);
            if (withViews && change % 500 == 0)
                table.View();
        }
    }

    private static void ReadOne(RecordTable table, long[] newest, int id)
    {
        long atLeast = Volatile.Read(ref newest[id]);
        bool found = table.TryGet(s_ids[id], out RecordLocation location, out object? value, out RecordHandle handle);
        if (!found)
        {
            Assert.Equal(0, atLeast);
            return;
        }

        Assert.Equal(id, location.Offset % Ids);
        Assert.InRange(location.Offset / Ids, atLeast, long.MaxValue);
        if (value is Document document)
            Assert.Equal(new Document(id, location), document);
        else
            Assert.Equal(new Document(id, location), table.TryCache(handle, location, new Document(id, location)));
        atLeast = Volatile.Read(ref newest[id]);
        if (table.TryGetValueFast(s_ids[id], out _, out _) is Document fast)
        {
            Assert.Equal(id, fast.Id);
            Assert.InRange(fast.Location.Offset / Ids, atLeast, long.MaxValue);
        }
    }
}
