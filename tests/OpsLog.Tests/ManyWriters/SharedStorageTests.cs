using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: openings that share one storage object in one process are to each other what other processes are. Method: a folder, whose locks the one object holds for both.
/// </summary>
public sealed class SharedStorageTests
{
    [Theory]
    [InlineData(Durability.Disk)]
    [InlineData(Durability.Buffered)]
    public async Task Agents_on_one_storage_do_not_end_each_others_logs(Durability durability)
    {
        using var folder = new TempFolder();
        await using var disk = new FileStorage(folder["store"]);
        await using (var a = await Lab.OpenAsync(disk, Agent("A", durability)))
        await using (var b = await Lab.OpenAsync(disk, Agent("B", durability)))
        {
            for (var i = 0; i < 5; i++)
            {
                await a.SetAsync($"a{i}", Lab.Doc(i));
                await b.SetAsync($"b{i}", Lab.Doc(i));
                await (i % 2 == 0 ? a : b).CompactAsync();
            }

            Assert.Equal((0, 0), (a.Statistics.Fenced, b.Statistics.Fenced));
            await a.FlushAsync();
            await b.FlushAsync();
        }

        Assert.Equal(10, (await Lab.StateAsync(disk)).Split('\n').Length);
    }

    [Fact]
    public async Task A_single_writer_is_refused_on_the_storage_of_a_living_agent_and_the_other_way_round()
    {
        using var folder = new TempFolder();
        await using var disk = new FileStorage(folder["store"]);
        await using (var a = await Lab.OpenAsync(disk, Agent("A")))
        {
            await a.SetAsync("a", Lab.Doc(1));
            await Lab.OpeningRefusedAsync(OpsLogError.Locked, disk);
            await a.SetAsync("a", Lab.Doc(2));
            Assert.Equal(0, a.Statistics.Fenced);
        }

        await using (var single = await Lab.OpenAsync(disk))
        {
            await Lab.OpeningRefusedAsync(OpsLogError.Locked, disk, Agent("A"));
            await single.SetAsync("s", Lab.Doc(3));
        }

        await using var again = await Lab.OpenAsync(disk, Agent("A"));
        Assert.Equal("a = {\"n\":2}\ns = {\"n\":3}", Runs.Text(again));
    }

    private static OpsStoreOptions Agent(string id, Durability durability = Durability.Disk) => Lab.Options(o => (o.AgentId, o.Durability) = (id, durability));
}
