namespace OpsLog.Simulation.Programs;

/// <summary>Which programs are made.</summary>
internal enum Mix
{
    /// <summary>Agents, with readers and a single writer now and then.</summary>
    Many,

    /// <summary>As <see cref="Many"/>, without undo, archives and feeds.</summary>
    Core,

    /// <summary>As <see cref="Many"/>, with consumers that stop in the middle of a feed, and a store that changes hands often.</summary>
    Feeds,

    /// <summary>One writer and readers; in a folder several writers, which keep each other out.</summary>
    Single,

    /// <summary>Several that each think they are the only writer, where no lock keeps them apart.</summary>
    Rivals,

    /// <summary>As <see cref="Many"/> or as <see cref="Single"/>, with up to three calls at once on one opening. Needs <see cref="Run.HeldPool"/>.</summary>
    Beside,
}

/// <summary>Makes the program of a seed.</summary>
internal static class ProgramGenerator
{
    private static readonly string[] s_ids = ["a", "b", "c", "d"];
    private static readonly string[] s_agents = ["A", "B", "C", "D", "E", "F"];

    public static SimProgram Make(ulong seed, Mix mix)
    {
        var random = new SimRandom(seed);
        var settings = Settings(ref random, mix);
        var many = mix is Mix.Many or Mix.Core or Mix.Feeds || (mix == Mix.Beside && random.Chance(600));
        var processes = !many ? 1 + random.Next(3) : random.Next(10) < 6 ? 2 : 3 + random.Next(4);
        var steps = 10 + random.Next(16);
        var ids = 1 + random.Next(s_ids.Length);
        var style = new Style(s_ids.AsMemory(0, ids), random.Next(4), mix, many, random.Chance(mix == Mix.Feeds ? 900 : 250), random.Chance(200));
        var sameId = many && random.Chance(120);
        var plans = new List<ProcessPlan>();
        var number = 0;
        for (var p = 0; p < processes; p++)
        {
            var share = (steps / processes) + (p < steps % processes ? 1 : 0);
            var role = Role.Agent;
            if (!many) role = p == 0 || (random.Chance(600) && (mix == Mix.Rivals || settings.HoldsWriters)) ? Role.Single : Role.Reader;
            else if (p > 0 && random.Chance(100)) role = random.Chance(700) ? Role.Reader : Role.Single;
            var made = new List<Step>();
            var now = role;
            for (var i = 0; i < share; i++)
            {
                var step = MakeStep(ref random, style, number++, now);
                if (mix == Mix.Core && step.Kind is StepKind.Undo or StepKind.Redo or StepKind.Archive or StepKind.LoadArchive or StepKind.Feed)
                    step = now == Role.Reader ? new Step(StepKind.Refresh, step.Number, []) : new Step(StepKind.Set, step.Number, [new Part(s_ids[step.Number % ids])]);
                now = step.Kind switch { StepKind.BecomeAgent => Role.Agent, StepKind.BecomeSingle => Role.Single, StepKind.BecomeReader => Role.Reader, _ => now };
                made.Add(mix == Mix.Beside && MayRunBeside(step) && random.Chance(500) ? step with { IsBeside = true } : step);
            }

            var skew = random.Chance(300) ? random.Next(7200) - 3600 : 0;
            plans.Add(new ProcessPlan(s_agents[sameId && p == 1 ? 0 : p], role, skew, made));
        }

        return new SimProgram(seed, settings, plans);
    }

    private static SimSettings Settings(ref SimRandom random, Mix mix)
    {
        var form = random.Next(4); // append and locks, append alone (twice), numbered
        return new SimSettings
        {
            Append = form < 3,
            HoldsWriters = form == 0 && mix != Mix.Rivals,
            Durability = random.Chance(350) ? Durability.Os : Durability.Disk,
            SilentAfter = random.Next(3) switch { 0 => TimeSpan.Zero, 1 => TimeSpan.FromMinutes(1), _ => TimeSpan.FromMinutes(10) },
            GracePeriod = random.Chance(700) ? TimeSpan.Zero : TimeSpan.FromMinutes(1),
            HasFeeds = mix != Mix.Core,
            StopsFeeds = mix == Mix.Feeds,
            AutomaticCheckpoints = mix == Mix.Beside && random.Chance(400),
            Retention = mix is not (Mix.Many or Mix.Core or Mix.Beside) || random.Chance(600) ? 2 : random.Next(2),
        };
    }

    // Only sets of its own numbers: of what several calls at once have written it must be certain which wrote what.
    private static bool MayRunBeside(Step step) => step.OnlySets || step.Kind is StepKind.Refresh or StepKind.Compact or StepKind.LoadArchive;

    private static Step MakeStep(ref SimRandom random, in Style style, int number, Role role)
    {
        var ids = style.Ids.Span;
        var id = ids[random.Next(ids.Length)];
        var padding = style.Long ? 20 + random.Next(60) : 0;
        if (role == Role.Reader)
        {
            return random.Next(12) switch
            {
                0 => new Step(StepKind.Close, number, []),
                1 when style.Many => new Step(StepKind.BecomeAgent, number, []),
                2 => new Step(StepKind.Feed, number, []),
                _ => new Step(StepKind.Refresh, number, []),
            };
        }

        // Three emphases: writes, compactions and openings, undo.
        var roll = random.Next(100);
        var (set, delete, batch, undo, redo, refresh, compact, archive, close, other) = style.Emphasis switch
        {
            _ when style.Mix == Mix.Feeds => (30, 8, 8, 3, 1, 22, 12, 2, 8, 2),
            0 => (40, 14, 8, 4, 2, 10, 8, 4, 8, 2),
            1 => (26, 12, 4, 2, 1, 8, 24, 4, 17, 2),
            2 => (30, 10, 8, 20, 9, 6, 7, 2, 6, 2),
            _ => (34, 20, 3, 3, 1, 12, 14, 3, 9, 1),
        };
        if ((roll -= set) < 0) return new Step(StepKind.Set, number, [new Part(id)], padding);
        if ((roll -= delete) < 0) return new Step(StepKind.Delete, number, [new Part(id, Deletes: true)]);
        if ((roll -= batch) < 0) return new Step(StepKind.Batch, number, Parts(ref random, ids), padding);
        if ((roll -= undo) < 0) return new Step(StepKind.Undo, number, []);
        if ((roll -= redo) < 0) return new Step(StepKind.Redo, number, []);
        if ((roll -= refresh) < 0) return new Step(random.Chance(style.Mix == Mix.Feeds ? 800 : 100) ? StepKind.Feed : StepKind.Refresh, number, []);
        if ((roll -= compact) < 0) return new Step(StepKind.Compact, number, []);
        if ((roll -= archive) < 0) return new Step(StepKind.Archive, number, random.Chance(700) ? [new Part(id)] : Parts(ref random, ids), 0, random.Chance(800) ? "2026-Q4" : "2026-Q3");
        if ((roll -= close) < 0) return new Step(StepKind.Close, number, []);
        if ((roll - (style.Mix == Mix.Feeds ? 3 * other : other)) < 0 && style.Changes)
        {
            var kind = !style.Many ? StepKind.LoadArchive
                : random.Next(3) switch { 0 => role == Role.Single ? StepKind.BecomeAgent : StepKind.BecomeSingle, 1 => StepKind.BecomeReader, _ => StepKind.LoadArchive };
            return new Step(kind, number, []);
        }

        return new Step(StepKind.Set, number, [new Part(id)], padding);
    }

    private static Part[] Parts(ref SimRandom random, ReadOnlySpan<string> ids)
    {
        var parts = new Part[1 + random.Next(3)];
        for (var i = 0; i < parts.Length; i++) parts[i] = new Part(ids[random.Next(ids.Length)], random.Chance(300));
        return parts;
    }

    /// <param name="Ids">The records.</param>
    /// <param name="Emphasis">Which operations are many.</param>
    /// <param name="Mix">Which programs.</param>
    /// <param name="Many">Whether agents write.</param>
    /// <param name="Changes">Whether processes change how they open the store.</param>
    /// <param name="Long">Whether documents are longer, so that deltas are worth it.</param>
    private readonly record struct Style(ReadOnlyMemory<string> Ids, int Emphasis, Mix Mix, bool Many, bool Changes, bool Long);
}
