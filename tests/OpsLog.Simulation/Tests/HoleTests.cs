using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>
/// Goal: the ten holes (H1 to H10) that an earlier wording of the protocol had stay closed. Method: the shortest history that each let go wrong, played call by call on the
/// simulated storage; besides what a test asserts, everything that a run of a seed must keep is checked at every call, and at its end. README.md says which rule each
/// holds; <c>eng/mutations.sh</c> takes the rules back one by one, and shows that these tests fail then.
/// </summary>
public sealed class HoleTests : ScenarioTests
{
    private const int MostCalls = 80;

    [Theory]
    [MemberData(nameof(Forms))]
    public void H1_a_log_that_came_and_went_between_two_refreshes_is_missed_by_nobody(string form)
    {
        var s = new Scenario(form);
        var b = s.Agent("B");
        var a = s.Agent("A").Set("x");
        var written = a.Number;
        a.Close();
        s.Agent("C").Compact();
        Assert.DoesNotContain(s.Manifest.Logs, l => l.Agent == "A");
        Assert.Equal(written, b.Refresh().Shows("x"));
        b.Compact();
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void H2_who_merges_a_snapshot_forgets_what_it_has_forgotten(string form)
    {
        var s = new Scenario(form);
        var a = s.Agent("A").Set("x");
        var b = s.Agent("B").Set("k"); // has read x
        a.Delete("x").Close();
        b.Set("k").Set("k"); // its clock passes the delete, which it has not read
        var c = s.Agent("C").Compact();
        Assert.Equal(0, c.Tombstones);
        Assert.NotNull(b.Shows("x"));
        Assert.Null(b.Refresh().Shows("x"));
        b.Compact();
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void H3_behind_a_merge_a_log_is_read_on_from_its_covered_position(string form)
    {
        var s = new Scenario(form);
        var a = s.Agent("A").Set("x");
        var (b, c) = (s.Agent("B"), s.Agent("C"));
        a.Set("x").Set("k");
        b.Delete("x").Close(); // the clock of A's set, and a larger agent id
        Assert.Equal(0, s.Agent("D").Compact().Tombstones); // A's log goes on above the delete
        c.Set("j"); // comes to know the new manifest by registering, and reads A's log behind the merge only
        Assert.Null(c.Refresh().Shows("x"));
        c.Compact();
        s.End();
    }

    [Theory]
    [MemberData(nameof(FormsWithoutLocks))]
    public void H4_an_owner_that_finds_its_log_ended_before_it_was_created_takes_another(string form)
    {
        foreach (var grace in new[] { TimeSpan.Zero, TimeSpan.FromMinutes(1) })
        {
            var s = new Scenario(form, seals: true, gracePeriod: grace);
            var (a, b) = (s.Agent("A"), s.Agent("B"));
            a.Begin(StepKind.Set, "x").StopBefore(CallKind.Put, "ops/agent-A");
            var registered = Assert.Single(s.Manifest.Logs, l => l.Agent == "A").Name;
            b.Compact(); // seals it by creating it, folds it; without a grace period collects it
            Assert.DoesNotContain(s.Manifest.Logs, l => l.Name == registered);
            Assert.Equal(grace > TimeSpan.Zero, s.Has(registered));
            a.Finish();
            Assert.Equal(a.Number, b.Refresh().Shows("x"));
            s.End();
        }
    }

    [Theory]
    [MemberData(nameof(FormsWithoutLocks))]
    public void H5_who_slept_until_its_log_was_collected_is_still_fenced(string form)
    {
        var s = new Scenario(form, seals: true);
        var a = s.Agent("A").Set("x");
        a.Begin(StepKind.Set, "x").StopBeforeLine();
        var b = s.Agent("B").Compact();
        Assert.DoesNotContain(s.Manifest.Logs, l => l.Agent == "A");
        a.Finish();
        Assert.Equal(a.Number, b.Refresh().Shows("x"));
        s.End();
    }

    [Theory]
    [InlineData("Append")]
    [InlineData("Locks")]
    public void H6_a_torn_tail_before_a_seal_is_no_damage_and_never_counts(string form)
    {
        var size = int.MaxValue;
        for (var cut = 1; cut < size; cut++)
        {
            var s = new Scenario(form, seals: true, keepsHistory: true);
            var a = s.Agent("A").Set("x");
            var before = a.Number;
            a.Begin(StepKind.Batch, "x", "k").StopBeforeLine();
            size = a.Size;
            a.But(DecisionKind.CrashTorn, cut); // a line, or a batch of which a line is there
            var b = s.Agent("B").Compact();
            Assert.Equal((before, null), (b.Shows("x"), b.Shows("k")));
            s.End();
        }

        Assert.InRange(size, 100, 1000);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void H7_a_failed_append_is_neither_cut_back_nor_is_its_clock_used_again(string form)
    {
        var s = new Scenario(form);
        var a = s.Agent("A").Set("k");
        a.Begin(StepKind.Set, "x").StopBeforeLine().But(DecisionKind.LoseAnswer);
        var b = s.Agent("B");
        Assert.Equal(a.Number, b.Shows("x"));
        b.Compact(); // covers the line that its owner has no answer for
        a.Finish();
        var clock = a.Clock;
        Assert.True(a.Set("x").Clock > clock);
        Assert.Equal(a.Number, b.Refresh().Shows("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(FormsWithoutLocks))]
    public void H8_a_single_writers_log_is_sealed_before_it_is_folded(string form)
    {
        var refused = 0;
        for (var calls = 0; calls < MostCalls; calls++)
        {
            var s = new Scenario(form);
            var single = s.Single().Set("x");
            var b = s.Join("B", Role.Agent).BeginToOpen().Advance(calls);
            single.Begin(StepKind.Set, "x").GoOn();
            if (!single.IsDone) refused++;
            b.Finish().Refresh();
            if (single.IsDone) Assert.Equal(single.Number, b.Shows("x"));
            b.Compact();
            s.End();
        }

        Assert.InRange(refused, 1, MostCalls - 1);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void H9_two_archives_of_one_period_keep_both_what_they_moved(string form) => AtEveryCallOfAnArchive(form, b => b.Archive("k"), "x", "k");

    [Theory]
    [MemberData(nameof(Forms))]
    public void H9_an_archive_buries_no_write_that_it_had_not_seen(string form)
    {
        var s = new Scenario(form, keepsHistory: true);
        var a = s.Agent("A").Set("x");
        var archived = a.Number;
        var b = s.Agent("B").Set("x"); // clock 2, which A has not read
        var live = b.Number;
        a.Set("k").Set("k").Archive("x"); // its delete has clock 4
        Assert.Equal(live, a.Refresh().Shows("x"));
        Assert.Equal(live, b.Refresh().Shows("x"));
        Assert.Equal(archived, b.Archived("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void H9_an_archive_that_is_not_listed_yet_is_not_collected(string form) => AtEveryCallOfAnArchive(form, b => b.Compact(), "x");

    [Theory]
    [MemberData(nameof(Forms))]
    public void H10_an_undo_looks_through_undos_its_own(string form)
    {
        var s = new Scenario(form, keepsHistory: true);
        var a = s.Agent("A").Set("x");
        var first = a.Number;
        Assert.Equal(first, a.Set("x").Undo().Shows("x"));
        Assert.Null(a.Undo().Shows("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void H10_an_undo_looks_through_undos_anothers(string form)
    {
        var s = new Scenario(form, keepsHistory: true);
        var a = s.Agent("A").Set("x");
        var first = a.Number;
        var b = s.Agent("B").Set("x");
        Assert.Equal(first, b.Undo().Shows("x")); // B's operation now, with A's value
        Assert.Null(a.Undo().Shows("x"));
        Assert.Null(b.Refresh().Shows("x"));
        s.End();
    }

    private static void AtEveryCallOfAnArchive(string form, Action<Scenario.Actor> meanwhile, params string[] archived)
    {
        for (var calls = 0; calls < 25; calls++)
        {
            var s = new Scenario(form, keepsHistory: true);
            var (a, b) = (s.Agent("A").Set("x"), s.Agent("B").Set("k"));
            a.Begin(StepKind.Archive, "x").Advance(calls);
            meanwhile(b);
            a.Finish();
            foreach (var id in archived) Assert.NotNull(b.Refresh().Archived(id));
            s.End();
        }
    }
}
