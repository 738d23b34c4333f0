using CsCheck;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>The order that decides which operation wins.</summary>
public class StampTests
{
    [Theory]
    [InlineData(1, "b", "x", 2, "a", "x")]
    [InlineData(2, "a", "x", 2, "b", "w")]
    [InlineData(2, "B", "x", 2, "a", "x")] // by code unit, not by alphabet
    [InlineData(2, "z", "x", 2, "ä", "x")]
    [InlineData(2, "\ud83d\ude00", "x", 2, "\uffee", "x")] // UTF-16, not UTF-8
    [InlineData(2, "a", "l1", 2, "a", "l2")]
    [InlineData(2, "", "l", 2, "a", "l")]
    public void The_order_is_clock_then_agent_then_log_by_code_unit(long clock, string agent, string log, long clock2, string agent2, string log2)
    {
        var smaller = new Stamp(clock, agent, log);
        var larger = new Stamp(clock2, agent2, log2);
        Assert.True(smaller < larger && larger > smaller && smaller <= larger && larger >= smaller);
        Assert.NotEqual(smaller, larger);
    }

    [Fact]
    public void The_order_is_total()
        => Gen.Select(Samples.Stamp, Samples.Stamp, Samples.Stamp).Sample((a, b, c) =>
        {
            Assert.Equal(Math.Sign(a.CompareTo(b)), -Math.Sign(b.CompareTo(a)));
            Assert.Equal(a == b, a.CompareTo(b) == 0);
            if (a <= b && b <= c) Assert.True(a <= c);
        });
}
