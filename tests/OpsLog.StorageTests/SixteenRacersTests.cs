// Goal: of sixteen that race for one manifest exactly one wins, in each of 200 rounds. Method: in a folder sixteen storages of their own, as sixteen processes have; in memory one
// for all. The remote storages have the same test beside their servers.
using OpsLog.Storage;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class SixteenRacersTests : IDisposable
{
    private const int Racers = 16;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("file", false)]
    [InlineData("file", true)]
    [InlineData("memory", false)]
    [InlineData("memory", true)]
    public async Task Of_sixteen_that_race_for_one_manifest_exactly_one_wins_each_of_200_rounds(string kind, bool creating)
    {
        var memory = new MemoryStorage();
        var clients = Enumerable.Range(0, Racers).Select(_ => kind == "file" ? (IOpsStorage)new FileStorage(_folder.Path) : memory).ToArray();
        var version = creating ? default : (await PutAsync(clients[0], "manifest.json", [0], PutCondition.IfAbsent)).Version;
        for (var round = 0; round < 200; round++)
        {
            var (key, condition) = creating ? ($"ops/log-n{round}", PutCondition.IfAbsent) : ("manifest.json", PutCondition.IfVersion(version));
            var results = await Task.WhenAll(clients.Select((client, i) => Task.Run(() => PutAsync(client, key, [(byte)round, (byte)i], condition))));
            var winner = Assert.Single(Enumerable.Range(0, Racers), i => results[i].IsStored);
            Assert.All(results.Where(r => !r.IsStored), r => Assert.Equal(PutOutcome.Conflict, r.Outcome));
            var found = await clients[Racers - 1 - winner].ReadAsync(new StorageKey(key), default, TestContext.Current.CancellationToken);
            Assert.Equal([(byte)round, (byte)winner], (await found!.ReadToEndAsync(TestContext.Current.CancellationToken)).ToArray());
            Assert.Equal(results[winner].Version, version = found.Version);
        }

        foreach (var client in clients) await client.DisposeAsync();
    }

    private static async Task<PutResult> PutAsync(IOpsStorage storage, string key, byte[] bytes, PutCondition condition)
    {
        using var content = new MemoryStream(bytes);
        return await storage.PutAsync(new StorageKey(key), content, condition, TestContext.Current.CancellationToken);
    }
}
