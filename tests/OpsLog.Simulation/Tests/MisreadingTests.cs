using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>
/// Goal: the eight sentences of the protocol that can be read in a second, wrong way (A1 to A8) are implemented in the right one. Method: as in
/// <see cref="HoleTests"/>, the shortest history in which the wrong reading shows.
/// </summary>
public sealed class MisreadingTests : ScenarioTests
{
    [Theory]
    [MemberData(nameof(Forms))]
    public void A1_each_try_at_a_swap_registers_a_new_name(string form)
    {
        var s = new Scenario(form);
        var (a, b) = (s.Agent("A"), s.Agent("B").Set("k"));
        a.Begin(StepKind.Set, "x").StopBeforeSwap(); // with a name based on this revision
        b.Begin(StepKind.Compact).StopBefore(CallKind.List); // collects by a later one
        a.Finish();
        b.Finish();
        Assert.Equal(a.Number, b.Refresh().Shows("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A2_a_swap_without_an_answer_is_read_back_by_what_it_was_to_change(string form)
    {
        var s = new Scenario(form);
        var (a, b) = (s.Agent("A").Set("x"), s.Agent("B"));
        a.Begin(StepKind.Compact).StopBeforeSwap().StopBeforeSwap().But(DecisionKind.LoseAnswer); // reserved, then committed
        var snapshot = s.Manifest.Snapshot.Name;
        b.Set("k"); // swaps on top
        a.Finish();
        Assert.Equal(snapshot, s.Manifest.Snapshot.Name);
        Assert.True(s.Has(snapshot));
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A3_a_log_that_is_not_there_is_not_empty_if_the_manifest_is_another(string form)
    {
        foreach (var opens in new[] { false, true })
        {
            var s = new Scenario(form);
            var b = opens ? s.Join("B", Role.Agent) : s.Agent("B");
            var (a, c) = (s.Agent("A").Set("x"), s.Agent("C"));
            var written = a.Number;
            a.Close();
            (opens ? b.BeginToOpen() : b.Begin(StepKind.Refresh)).StopBefore(CallKind.Read, "ops/agent-A");
            c.Compact();
            Assert.Equal(written, b.Finish().Shows("x"));
            s.End();
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A3_a_log_that_was_registered_and_never_created_is_empty(string form)
    {
        var s = new Scenario(form);
        var a = s.Agent("A");
        a.Begin(StepKind.Set, "x").StopBefore(CallKind.Put, "ops/agent-A").Die();
        var b = s.Agent("B").Refresh().Set("k");
        Assert.Null(b.Shows("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A4_an_append_without_an_answer_is_applied_once(string form)
    {
        var s = new Scenario(form);
        var a = s.Agent("A");
        a.Begin(StepKind.Set, "x").StopBeforeLine().But(DecisionKind.LoseAnswer).Finish();
        Assert.Equal(1, s.OperationsOn("x"));
        Assert.Equal(a.Number, s.Agent("B").Shows("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(FormsWithoutLocks))]
    public void A4_an_append_that_arrives_late_is_applied_once_or_never(string form)
    {
        for (var calls = 0; calls < 12; calls++)
        {
            var s = new Scenario(form);
            var a = s.Agent("A").Set("k");
            a.Begin(StepKind.Set, "x").StopBeforeLine().But(DecisionKind.Delay).Advance(calls);
            s.Land();
            a.GoOn();
            Assert.Equal(a.IsDone ? 1 : 0, s.OperationsOn("x"));
            s.End();
        }
    }

    [Theory]
    [MemberData(nameof(FormsWithoutLocks))]
    public void A5_the_answer_is_found_in_the_manifest_when_the_log_was_folded_and_collected_meanwhile(string form)
    {
        var s = new Scenario(form, seals: true);
        var a = s.Agent("A").Set("k");
        a.Begin(StepKind.Set, "x").StopBeforeLine().But(DecisionKind.LoseAnswer);
        var b = s.Agent("B").Compact();
        Assert.DoesNotContain(s.Manifest.Logs, l => l.Agent == "A");
        a.Finish();
        Assert.Equal((1, a.Number), (s.OperationsOn("x"), b.Refresh().Shows("x")));
        s.End();
    }

    [Theory]
    [MemberData(nameof(FormsWithoutLocks))]
    public void A5_that_there_is_room_for_a_seal_is_no_answer_once_the_log_was_collected(string form)
    {
        var s = new Scenario(form, seals: true);
        var a = s.Agent("A").Set("k");
        a.Begin(StepKind.Set, "x").StopBeforeLine().But(DecisionKind.Delay);
        a.StopBeforeAnyLine(); // it has looked, found nothing, and is about to seal its log
        s.Land();
        s.Agent("B").Compact(); // the line counts, and its object is collected
        a.Finish();
        Assert.Equal(1, s.OperationsOn("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(FormsWithoutLocks))]
    public void A5_a_seal_is_no_part_of_the_final_length_by_which_a_lost_append_is_answered(string form)
    {
        var s = new Scenario(form, seals: true);
        var a = s.Agent("A").Set("k");
        a.Begin(StepKind.Set, "x").StopBeforeLine().But(DecisionKind.Delay); // and never arrives
        s.Agent("B").Compact();
        Assert.DoesNotContain(s.Manifest.Logs, l => l.Agent == "A");
        a.GoOn();
        Assert.Equal(StepEnd.Rejected, a.Ended);
        Assert.Equal(0, s.OperationsOn("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A6_a_deleted_record_is_forgotten_only_when_the_swap_is_in(string form)
    {
        var s = new Scenario(form);
        var a = s.Agent("A").Set("x").Compact(); // its next write registers another log
        var b = s.Agent("B").Delete("x");
        b.Begin(StepKind.Compact).StopBeforeSwap().StopBeforeSwap(); // the delete is at the floor
        a.Set("x"); // with the clock of the delete, and a smaller agent id: it loses
        b.Finish();
        Assert.Null(b.Refresh().Shows("x"));
        Assert.Null(a.Refresh().Shows("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A7_an_archive_is_named_by_the_manifest_before_it_is_written(string form)
    {
        var s = new Scenario(form, keepsHistory: true);
        var (a, b) = (s.Agent("A").Set("x"), s.Agent("B"));
        b.Set("k").Compact(); // A has read an older manifest
        a.Begin(StepKind.Archive, "x").StopBefore(CallKind.Put, "archive/");
        Assert.Single(s.Manifest.Reserved);
        a.Next();
        b.Refresh().Set("k").Compact(); // collects what is based on older revisions
        a.Finish();
        Assert.NotNull(b.Refresh().Archived("x"));
        Assert.Null(b.Shows("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(FormsWithoutLocks))]
    public void A8_an_owners_length_comes_from_its_own_appends_alone(string form)
    {
        var s = new Scenario(form, seals: true);
        var (a, b) = (s.Agent("A").Set("x"), s.Agent("B"));
        b.Begin(StepKind.Compact).StopBeforeSwap().Die(); // A's log is sealed, and still registered
        var own = Assert.Single(s.Manifest.Logs, l => l.Agent == "A");
        a.Refresh().Set("x"); // must find itself fenced
        Assert.Equal(2, s.Manifest.Logs.Count(l => l.Agent == "A"));
        Assert.Equal(0, own.Covered);
        var c = s.Agent("C").Compact();
        Assert.Equal(a.Number, c.Shows("x"));
        s.End();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A8_a_covered_log_goes_on_where_its_owner_left_it(string form)
    {
        var s = new Scenario(form);
        var (a, b) = (s.Agent("A").Set("x"), s.Agent("B").Compact());
        var before = Assert.Single(s.Manifest.Logs, l => l.Agent == "A");
        Assert.True(before.Covered > 0);
        a.Refresh().Set("x");
        Assert.Equal(before, Assert.Single(s.Manifest.Logs, l => l.Agent == "A"));
        Assert.Equal(a.Number, b.Refresh().Shows("x"));
        s.End();
    }
}
