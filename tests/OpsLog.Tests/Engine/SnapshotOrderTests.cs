// Goal: a checkpoint's two orders fit together, and the index points to what moved and to nothing else. Method: a view, changes behind it, then the move.
using System.Globalization;
using System.Text;
using OpsLog.Engine;
using Xunit;

namespace OpsLog.Tests.Engine;

public sealed class SnapshotOrderTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(20_000)] // more than are sorted by comparing
    public void Records_come_in_the_order_of_their_places_with_their_ids(int count)
    {
        var table = new RecordTable(1);
        var random = new Random(count);
        var places = new Dictionary<ulong, string>();
        for (var i = 0; i < count; i++)
        {
            var location = RecordLocation.Create(1 + random.Next(RecordLocation.MaxExtent), random.NextInt64(RecordLocation.MaxOffset), 1 + random.Next(1000), false);
            places[location.Packed] = Id(i);
            table.Set(Bytes(i), location);
        }

        var order = new SnapshotOrder(table.View());
        Assert.Equal(count, order.Count);
        for (var i = 0; i < count; i++)
        {
            if (i > 0) Assert.True(order.Location(i - 1).Packed >> RecordLocation.PlaceShift <= order.Location(i).Packed >> RecordLocation.PlaceShift);
            Assert.Equal(places[order.Location(i).Packed], Encoding.UTF8.GetString(order.Id(order.Number(i))));
        }
    }

    [Fact]
    public void What_changed_behind_the_view_stays_and_all_else_points_to_where_it_moved()
    {
        const int Count = 10_000;
        var state = new StoreState(1);
        for (var i = 0; i < Count; i++) state.Records.Set(Bytes(i), Old(i));
        Assert.True(state.Records.TryGet(Id(1), out var seen, out _, out var handle));
        state.Records.TryCache(handle, seen, "kept");
        var order = new SnapshotOrder(state.Records.View());
        for (var i = 0; i < Count; i += 500) state.Records.Set(Bytes(i), Newer(i)); // changes some segments, not all
        for (var i = 250; i < Count; i += 500) state.Records.Remove(Bytes(i));
        for (var i = Count; i < Count + 500; i++) state.Records.Set(Bytes(i), Newer(i));
        state.Records.View(); // another epoch, as a reader's view begins
        var to = new ulong[Count];
        for (var i = 0; i < Count; i++) to[order.Number(i)] = RecordLocation.Create(0, Moved(order.Location(i).Offset), 10, false).Packed;
        new MovedRecords(order, to, 7).Repoint(state);

        for (var i = 0; i < Count + 500; i++)
        {
            var found = state.Records.TryGet(Id(i), out var location, out var value, out _);
            Assert.Equal(i >= Count || i % 500 != 250, found && location.IsLive);
            if (found) Assert.Equal(i >= Count || i % 500 == 0 ? Newer(i) : RecordLocation.Create(7, Moved(Old(i).Offset), 10, false), location);
            if (i == 1) Assert.Equal("kept", value);
        }
    }

    private static string Id(int number) => string.Create(CultureInfo.InvariantCulture, $"record-{number}{(number % 7 == 0 ? "-with-a-long-id" : "")}");

    private static byte[] Bytes(int number) => Encoding.UTF8.GetBytes(Id(number));

    private static RecordLocation Old(int number) => RecordLocation.Create(2, 1_000_000 - (number * 100L) + 9_000_000, 10, false);

    private static RecordLocation Newer(int number) => RecordLocation.Create(3, number * 100L, 10, false);

    private static long Moved(long offset) => offset + 17;
}
