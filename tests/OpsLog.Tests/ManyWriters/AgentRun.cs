using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// A program of two agents on one storage whose every step writes records of its own, so that it is known of each record alone whether it must be
/// there: A's storage may fail or its process die at any call; B's never does. What was acknowledged must be in the end's state, what was rejected must
/// not, what is unknown may be, and a batch is there wholly or not at all.
/// </summary>
internal sealed class AgentRun(IOpsStorage ofA, IOpsStorage ofB, Durability durability = Durability.Disk)
{
    private const int Steps = 6;
    private readonly HashSet<string> _there = new(StringComparer.Ordinal);
    private readonly HashSet<string> _notThere = new(StringComparer.Ordinal);
    private readonly List<string[]> _batches = [];

    /// <summary>The errors A met.</summary>
    public List<OpsLogException> Failures { get; } = [];

    public static OpsStoreOptions Options(string? agent, Durability durability = Durability.Disk) => Lab.Options(o =>
    {
        o.AgentId = agent;
        o.Durability = durability;
        o.Random = new Random(agent is null ? 0 : agent[0]);
        o.Checkpoint.SilentAfter = TimeSpan.Zero; // the dead are known as such at once
    });

    /// <summary>Runs the program to its end; a failed A is opened again if <paramref name="reopens"/>.</summary>
    public async Task RunAsync(bool reopens = true)
    {
        var a = await TryAsync(async () => await Lab.OpenAsync(ofA, Options("A", durability)));
        var b = await Lab.OpenAsync(ofB, Options("B", durability));
        for (var i = 0; i < Steps; i++)
        {
            if (a is null && reopens) a = await TryAsync(async () => await Lab.OpenAsync(ofA, Options("A", durability)));
            if (a is not null && !await StepOfAAsync(a, i))
            {
                await Runs.AbandonAsync(a);
                a = null;
            }

            await b.SetAsync($"b{i}", Lab.Doc(i));
            _there.Add($"b{i}");
            await b.RefreshAsync();
            if (i == 3) await b.CompactAsync();
        }

        if (a is not null) await TryAsync(async () => await CloseAsync(a));
        await b.CompactAsync();
        await b.RefreshAsync();
        Assert.DoesNotContain(_there, id => !b.ContainsKey(id));
        await b.DisposeAsync();
    }

    /// <summary>Checks a state against what is known of every record.</summary>
    public void AssertState(OpsStore<JsonElement> store, string context, bool isAllThere = true)
    {
        var lost = _there.Where(id => !store.ContainsKey(id)).ToList();
        Assert.True(lost.Count == 0 || !isAllThere, $"{context}: lost {string.Join(", ", lost)}");
        var back = _notThere.Where(store.ContainsKey).ToList();
        Assert.True(back.Count == 0 || !isAllThere, $"{context}: there again {string.Join(", ", back)}");
        foreach (var batch in _batches)
            Assert.True(batch.All(store.ContainsKey) || !batch.Any(store.ContainsKey), $"{context}: half of {string.Join(", ", batch)}");
    }

    private async Task<bool> StepOfAAsync(OpsStore<JsonElement> a, int i)
    {
        var done = await WriteAsync([$"a{i}"], [], async () => await a.SetAsync($"a{i}", Lab.Doc(i)));
        if (i == 1) done &= await WriteAsync(["x1", "x2", "x3"], [], async () => await a.BatchAsync(batch => Array.ForEach(["x1", "x2", "x3"], id => batch.Set(id, Lab.Doc(i)))));
        if (i == 2 && _there.Contains("a0")) done &= await WriteAsync([], ["a0"], async () => await a.DeleteAsync("a0"));
        if (i == 3 && _there.Contains("a1")) done &= await WriteAsync([], ["a1"], async () => await a.ArchiveAsync(["a1"], "2026"));
        if (i == 4 && _there.Contains("a4")) done &= await WriteAsync([], ["a4"], async () => await a.UndoAsync());
        if (i is 2 or 5) done &= await WriteAsync([], [], async () => await a.CompactAsync());
        return done;
    }

    private async Task<bool> WriteAsync(string[] added, string[] removed, Func<Task> write)
    {
        if (added.Length > 1) _batches.Add(added);
        _there.ExceptWith(removed);
        try
        {
            await write();
            _there.UnionWith(added);
            _notThere.UnionWith(removed);
            return true;
        }
        catch (OpsLogException e)
        {
            Failures.Add(e);
            if (e.Error is not (OpsLogError.OutcomeUnknown or OpsLogError.ReadOnly or OpsLogError.StorageFailed)) throw;
            if (e.Error == OpsLogError.OutcomeUnknown || removed.Length > 0) return false;
            _notThere.UnionWith(added);
            return e.Error == OpsLogError.StorageFailed;
        }
    }

    private async Task<OpsStore<JsonElement>?> TryAsync(Func<Task<OpsStore<JsonElement>?>> action)
    {
        try
        {
            return await action();
        }
        catch (OpsLogException e)
        {
            Failures.Add(e);
            return null;
        }
    }

    private static async Task<OpsStore<JsonElement>?> CloseAsync(OpsStore<JsonElement> store)
    {
        await store.DisposeAsync();
        return null;
    }
}
