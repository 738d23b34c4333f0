using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.History;

/// <summary>Goal: who waits for operations and finds none asks for next to nothing. Method: a storage that counts what is read.</summary>
public sealed class IdleFeedTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("A")]
    public async Task Whoever_waits_for_operations_reads_the_history_index_once(string? agent)
    {
        var disk = new MemoryStorage();
        await using var writer = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = agent));
        await writer.SetAsync("k", Lab.Doc(1));
        await writer.CompactAsync();
        await writer.SetAsync("k", Lab.Doc(2));
        var (indexes, logs) = (0, 0);
        await using var reader = await Lab.OpenAsync(new HookedStorage(disk)
        {
            Before = (call, key) =>
            {
                if (call == StorageCalls.Read && key.Value.StartsWith("ops/history-", StringComparison.Ordinal)) indexes++;
                else if (call == StorageCalls.Read && key.Value.StartsWith("ops/", StringComparison.Ordinal)) logs++;
                return Task.CompletedTask;
            },
        }, Lab.ReadOnly());
        var position = (await Lab.OperationsAsync(reader))[^1].Position;
        var (indexesBefore, logsBefore) = (indexes, logs);
        for (var i = 0; i < 5; i++)
        {
            await reader.RefreshAsync();
            Assert.Empty(await Lab.OperationsAsync(reader, position));
        }

        Assert.Equal(indexesBefore, indexes);
        Assert.True(logs - logsBefore <= 10, $"{logs - logsBefore} reads of logs");
    }
}
