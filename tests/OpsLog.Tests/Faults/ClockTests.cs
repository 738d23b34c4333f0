using OpsLog.Storage;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>A clock that a test moves, backwards too.</summary>
internal sealed class ShiftingTime : TimeProvider
{
    private DateTimeOffset _now = new(2026, 3, 31, 23, 59, 59, 999, TimeSpan.Zero);

    public override TimeZoneInfo LocalTimeZone { get; } = TimeZoneInfo.CreateCustomTimeZone("far east", TimeSpan.FromHours(14), "far east", "far east");

    public override DateTimeOffset GetUtcNow() => _now;

    public void Shift(TimeSpan by) => _now += by;

    public void Set(DateTimeOffset now) => _now = now;
}

/// <summary>
/// Goal: the wall clock decides nothing but what people read (F18). Method: the clock stands still, jumps back ten years and forward
/// twenty between operations, over checkpoints, archive runs, undos and reopenings; names, order and state are as with any other clock.
/// </summary>
public sealed class ClockTests
{
    [Theory]
    [InlineData("stuck", true)]
    [InlineData("back", true)]
    [InlineData("wild", true)]
    [InlineData("stuck", false)]
    [InlineData("back", false)]
    [InlineData("wild", false)]
    public async Task F18_a_clock_that_stands_or_jumps_changes_no_name_no_order_and_no_state(string how, bool append)
    {
        var disk = new MemoryStorage(append);
        var time = new ShiftingTime();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var hooked = new HookedStorage(disk);
        hooked.Before = (call, key) =>
        {
            if (call == Testing.StorageCalls.Put && key != Lab.Manifest && !key.Value.StartsWith("archive/", StringComparison.Ordinal))
                Assert.True(names.Add(key.Value), $"the name {key} is used twice");
            return Task.CompletedTask;
        };
        var options = Lab.Options(o => o.TimeProvider = time);
        await using var reader = await FirstAsync(hooked, options);
        for (var i = 0; i < 12; i++)
        {
            time.Shift(how switch
            {
                "stuck" => TimeSpan.Zero,
                "back" => TimeSpan.FromDays(-100),
                _ => TimeSpan.FromDays(i % 2 == 0 ? -3650 : 7300),
            });
            await using var store = await Lab.OpenAsync(hooked, options);
            await store.SetAsync("a", Lab.Doc(i));
            await store.CompactAsync();
            await store.SetAsync("b", Lab.Doc(i));
            await store.SetAsync("b", Lab.Doc(-1));
            Assert.True(await store.UndoAsync());
            await store.SetAsync("old", Lab.Doc(i));
            await store.ArchiveAsync(["old"], "2026");
            await store.CompactAsync();
            await reader.RefreshAsync();
            var expected = $"a = {{\"n\":{i}}}\nb = {{\"n\":{i}}}";
            Assert.Equal(expected, Runs.Text(store));
            Assert.Equal(expected, Runs.Text(reader));
        }

        var operations = await Lab.OperationsAsync(reader);
        Assert.Equal(1 + (12 * 6), operations.Count);
        Assert.Equal(operations.Select(o => o.Revision.Clock).Order(), operations.Select(o => o.Revision.Clock));
        Assert.Equal(operations.Count, operations.Select(o => o.Revision).Distinct().Count());
        Assert.Equal(11, Lab.N((await reader.LoadArchiveAsync("2026"))["old"]));
    }

    [Fact]
    public async Task F18_every_operation_of_one_millisecond_is_in_the_feed_behind_the_first()
    {
        var time = new ShiftingTime();
        await using var store = await Lab.OpenAsync(new MemoryStorage(), Lab.Options(o => o.TimeProvider = time));
        for (var i = 0; i < 5; i++) await store.SetAsync($"{i}", Lab.Doc(i));
        var all = await Lab.OperationsAsync(store);
        Assert.Single(all.Select(o => o.Time).Distinct());
        Assert.Equal(["1", "2", "3", "4"], (await Lab.OperationsAsync(store, all[0].Position)).Select(o => o.Id));
    }

    [Fact]
    public async Task Bug74_the_default_period_is_the_quarter_in_utc()
    {
        var time = new ShiftingTime(); // the last millisecond of March in UTC, the first of April where the clock hangs
        await using var store = await Lab.OpenAsync(new MemoryStorage(), Lab.Options(o => o.TimeProvider = time));
        await store.SetAsync("a", Lab.Doc(1));
        await store.ArchiveAsync(["a"]);
        Assert.Equal(["2026-Q1"], store.Archives);
        time.Shift(TimeSpan.FromMilliseconds(1));
        await store.SetAsync("b", Lab.Doc(1));
        await store.ArchiveAsync(["b"]);
        Assert.Equal(["2026-Q1", "2026-Q2"], store.Archives);
    }

    private static async Task<OpsStore<System.Text.Json.JsonElement>> FirstAsync(IOpsStorage storage, OpsStoreOptions options)
    {
        await using (var store = await Lab.OpenAsync(storage, options)) await store.SetAsync("a", Lab.Doc(0));
        return await Lab.OpenAsync(storage, Lab.ReadOnly());
    }
}
