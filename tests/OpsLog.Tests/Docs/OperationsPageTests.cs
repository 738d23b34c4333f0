using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Docs;

/// <summary>Goal: the program that docs/operations.md shows for the repair drill does what the page says. Method: it is run, on a store with a damaged line.</summary>
public sealed class OperationsPageTests
{
    [Fact]
    public async Task A_damaged_store_is_told_from_the_error_and_repaired_into_another()
    {
        var storage = new MemoryStorage();
        await using (var written = await OpsStore<TaskItem>.OpenAsync(storage))
        {
            await written.SetAsync("1", new TaskItem("one"));
            await written.SetAsync("2", new TaskItem("two"));
            await written.SetAsync("3", new TaskItem("three"));
        }

        var log = await Lab.LogAsync(storage);
        await Lab.ChangeAsync(storage, log, bytes => Lab.FlipInLine(bytes, 1));
        var repaired = new MemoryStorage();
        var loss = Assert.Single(await RepairIfDamagedAsync(storage, repaired));
        Assert.Equal((DamageKind.CorruptLine, log.Value, 2), (loss.Kind, loss.File, (int)loss.Line));
        await using var store = await OpsStore<TaskItem>.OpenAsync(repaired);
        Assert.Equal(["1", "3"], store.Keys.Order(StringComparer.Ordinal));
    }

    private static async Task<IReadOnlyList<Damage>> RepairIfDamagedAsync(IOpsStorage storage, IOpsStorage repaired)
    {
        try
        {
            await using var store = await OpsStore<TaskItem>.OpenAsync(storage);
            return [];
        }
        catch (OpsLogException e) when (e.Error == OpsLogError.Damaged && e.Damage is { Kind: DamageKind.CorruptLine } damage)
        {
            Console.Error.WriteLine($"{damage.File}, line {damage.Line}, offset {damage.Offset}: {damage.Detail}");
            var progress = new Progress<StoreProgress>(now => Console.Error.WriteLine($"{now.Stage}: {now.Done} of {now.Total}"));
            RepairReport report = await OpsStore.RepairAsync(storage, repaired, progress);
            if (!(await OpsStore.VerifyAsync(repaired)).IsSound) throw new InvalidOperationException("The repaired store is damaged too.");
            return report.Losses;
        }
    }

    private sealed record TaskItem(string Title);
}
