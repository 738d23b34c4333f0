using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Search;

/// <summary>What a storage can do: append and tell who lives (a folder), append, or neither.</summary>
internal enum StorageForm
{
    Locks,
    Append,
    Numbered,
}

/// <summary>The programs of the exhaustive search: all of a few steps from a small set, on one record.</summary>
internal static class SmallPrograms
{
    private static readonly StepKind[] s_kinds = [StepKind.Set, StepKind.Delete, StepKind.Refresh, StepKind.Compact, StepKind.Close];

    /// <summary>What they are made of.</summary>
    public static IReadOnlyList<StepKind> Kinds => s_kinds;

    /// <summary>Every program of two agents with two steps each, but for those that are another with the agents exchanged.</summary>
    /// <param name="form">The form of the storage.</param>
    /// <param name="compacted">Whether the record is in a snapshot at first, or in a log of the first agent.</param>
    /// <param name="seals">Whether a compaction ends the logs of the living too, where nobody can tell who lives.</param>
    public static IEnumerable<SimProgram> TwoByTwo(StorageForm form, bool compacted, bool seals)
    {
        var pairs = (from first in s_kinds from second in s_kinds where first != StepKind.Close || second != StepKind.Close select (StepKind[])[first, second]).ToList();
        for (var a = 0; a < pairs.Count; a++)
            for (var b = compacted ? a : 0; b < pairs.Count; b++) // with the record in a snapshot the agents are alike
                if (pairs[a].Concat(pairs[b]).Any(k => k is StepKind.Set or StepKind.Delete)) yield return Make([pairs[a], pairs[b]], form, compacted, seals);
    }

    /// <summary>Programs of longer steps, for searches with few switches.</summary>
    public static IEnumerable<SimProgram> FewSwitches(int agents, int steps, int count, StorageForm form, ulong seed)
    {
        var random = new SimRandom(seed);
        for (var n = 0; n < count; n++)
        {
            var plans = new StepKind[agents][];
            for (var a = 0; a < agents; a++)
            {
                plans[a] = new StepKind[steps];
                for (var s = 0; s < steps; s++) plans[a][s] = random.Pick<StepKind>(s_kinds);
            }

            yield return Make(plans, form, random.Next(2) == 0, seals: true);
        }
    }

    /// <summary>The program of a text such as <c>Set Compact | Delete</c>: the steps of each agent.</summary>
    public static SimProgram Parse(string plans, StorageForm form, bool compacted, bool seals) => Make(
        [.. plans.Split('|').Select(plan => plan.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Enum.Parse<StepKind>).ToArray())], form, compacted, seals);

    public static SimProgram Make(IReadOnlyList<StepKind[]> plans, StorageForm form, bool compacted, bool seals)
    {
        var number = 100;
        Part[] on = [new("a")];
        Part[] off = [new("a", Deletes: true)];
        var settings = new SimSettings { Append = form != StorageForm.Numbered, HoldsWriters = form == StorageForm.Locks, SilentAfter = seals ? TimeSpan.Zero : TimeSpan.FromMinutes(10), GracePeriod = TimeSpan.Zero, Retention = 0, HasFeeds = false };
        var processes = plans.Select((plan, index) => new ProcessPlan(
            index == 0 ? "A" : index == 1 ? "B" : "C", Role.Agent, 0,
            [.. plan.Select(kind => new Step(kind, number++, kind switch { StepKind.Set => on, StepKind.Delete => off, _ => [] }))])).ToList();
        List<Step> prelude = [new Step(StepKind.Set, 1, on)];
        if (compacted) prelude.Add(new Step(StepKind.Compact, 2, []));
        return new SimProgram(1, settings, processes) { Prelude = prelude };
    }
}
