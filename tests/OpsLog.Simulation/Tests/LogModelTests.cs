using System.Text;
using OpsLog.Simulation.Model;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>Goal: the simulation reads logs as docs/format.md says. Method: its own lines, sealed, spoiled and unfinished.</summary>
public sealed class LogModelTests
{
    private const string Name = "ops/agent-A-r000000000001-00000001.jsonl";

    [Fact]
    public void A_line_counts_with_its_newline()
    {
        var log = new LogModel(Name, numbered: false);
        log.Grow(Bytes(Set(1)));
        Assert.Empty(log.Operations);
        log.Grow(Bytes(Set(1) + "\n"));
        Assert.Equal(1, Assert.Single(log.Operations).Operation.Stamp.Clock);
        Assert.Equal("A", log.Operations[0].Operation.Stamp.Agent);
        Assert.Equal(Name, log.Operations[0].Operation.Stamp.Log);
    }

    [Fact]
    public void A_batch_counts_with_its_last_line()
    {
        var log = new LogModel(Name, numbered: false);
        log.Grow(Bytes(Set(1, batch: "[0,2]") + "\n"));
        Assert.Empty(log.Operations);
        Assert.False(log.IsBoundary(Set(1, batch: "[0,2]").Length + 1));
        log.Grow(Bytes(Set(1, batch: "[0,2]") + "\n" + Set(2, batch: "[1,2]") + "\n"));
        Assert.Equal(2, log.Operations.Count);
    }

    [Theory]
    [InlineData("\n", 1)]
    [InlineData("#\n\n", 0)]
    public void A_seal_ends_a_log_and_what_is_unfinished_does_not_count(string seal, int counted)
    {
        var log = new LogModel(Name, numbered: false);
        var line = counted == 1 ? Set(1) + "\n" : Set(1);
        log.Grow(Bytes(line + seal));
        Assert.Equal(counted, log.Operations.Count);
        Assert.Equal(line.Length + seal.Length - 1, log.SealedAt);
        Assert.Throws<InvariantViolation>(() => log.Grow(Bytes(line + seal + Set(5) + "\n")));
    }

    [Fact]
    public void An_unfinished_line_that_a_newline_ends_is_found()
    {
        var log = new LogModel(Name, numbered: false);
        Assert.Throws<InvariantViolation>(() => log.Grow(Bytes(Set(1)[..20] + "\n")));
    }

    [Fact]
    public void A_clock_that_comes_again_is_found()
    {
        var log = new LogModel(Name, numbered: false);
        Assert.Throws<InvariantViolation>(() => log.Grow(Bytes(Set(2) + "\n" + Set(2) + "\n")));
    }

    [Fact]
    public void Pieces_are_positions()
    {
        var log = new LogModel(Name, numbered: true);
        log.AddPiece(1, Bytes(Set(1) + "\n" + Set(2) + "\n"));
        log.AddPiece(2, Bytes("\n"));
        Assert.Equal([1L, 1L], log.Operations.Select(o => o.End));
        Assert.Equal(1, log.SealedAt);
        Assert.Throws<InvariantViolation>(() => log.AddPiece(4, Bytes("\n")));
    }

    [Fact]
    public void An_archiving_delete_ranks_just_above_what_it_moves()
    {
        var moved = new SimStamp(3, "A", Name);
        var delete = LineParser.Parse(Bytes(
            "{\"ts\":\"t\",\"op\":\"delete\",\"id\":\"a\",\"prev\":{},\"clock\":9,\"agent\":\"B\",\"segment\":\"2026-Q4\",\"moved\":[3,\"A\",\"" + Name + "\"],\"crc\":\"00000000\"}"), "ops/agent-B-x.jsonl");
        Assert.True(delete.Rank > new Rank(moved, 0));
        Assert.True(delete.Rank < new Rank(new SimStamp(4, "A", Name), 0));
    }

    private static string Set(long clock, string? batch = null) =>
        $"{{\"ts\":\"t\",\"op\":\"set\",\"id\":\"a\",\"prev\":null,\"data\":{{\"n\":1}},\"clock\":{clock},\"agent\":\"A\"{(batch is null ? "" : $",\"batch\":{batch}")},\"crc\":\"00000000\"}}";

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
