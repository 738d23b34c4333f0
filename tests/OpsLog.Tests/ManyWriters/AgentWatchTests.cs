using System.Text.Json;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>Goal: who watches many writers gets each operation once, in order within a log, though it stops, and goes on as another process. Method: a consumer that takes some and leaves.</summary>
public sealed class AgentWatchTests
{
    [Theory, MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_watch_goes_on_from_the_last_change_that_was_taken(string kind)
    {
        const int Rounds = 6, Writes = 4, Taken = 5;
        await using var site = new Site(kind);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        var written = new List<Revision>();
        var seen = new List<Revision>();
        var position = FeedPosition.Start;
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < Writes; i++)
            {
                written.Add(await a.SetAsync($"a{round}", Lab.Doc(i)));
                written.Add(await b.SetAsync($"b{round}", Lab.Doc(i)));
            }

            if (round == 2) await a.CompactAsync(); // ends its log: its next write is in another one
            if (round == 4)
            {
                await b.DisposeAsync();
                b = await site.OpenAsync("B");
            }

            position = await TakeAsync(round % 2 == 0 ? "consumer" : null, position, Taken);
        }

        await TakeAsync("consumer", position, written.Count - seen.Count);
        Assert.Equal(written.OrderBy(r => r.ToString(), StringComparer.Ordinal), seen.OrderBy(r => r.ToString(), StringComparer.Ordinal));
        Assert.All(seen.GroupBy(r => r.Log), log => Assert.Equal(log.Select(r => r.Clock).Order(), log.Select(r => r.Clock)));

        async Task<FeedPosition> TakeAsync(string? agent, FeedPosition since, int count)
        {
            var consumer = await site.OpenAsync(agent, o => o.ReadOnly = agent is null);
            await foreach (var change in consumer.WatchAsync(since, TestContext.Current.CancellationToken))
            {
                seen.Add(change.Operation.Revision);
                since = change.Position;
                if (--count == 0) break;
            }

            await consumer.DisposeAsync();
            return since;
        }
    }
}
