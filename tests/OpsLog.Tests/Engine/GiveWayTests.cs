using OpsLog.Engine;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: who has the gate again and again, to move the index, lets a write that waits for it go first. Method: a thread that waits; a lock alone goes to whoever asks first, which
/// is not who has to be woken up.
/// </summary>
public sealed class GiveWayTests
{
    [Fact]
    public void A_write_that_waits_for_the_gate_has_it_before_who_gives_way_has_it_again()
    {
        var state = new StoreState(1);
        state.EnterToShow().Dispose(); // compiled now
        for (var round = 0; round < 20; round++)
        {
            var order = new List<string>();
            var begun = false;
            Thread writer;
            lock (state.Gate)
            {
                writer = new Thread(() =>
                {
                    Volatile.Write(ref begun, true);
                    using (state.EnterToShow()) order.Add("write");
                });
                writer.Start();
                Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref begun) && writer.ThreadState.HasFlag(ThreadState.WaitSleepJoin), TimeSpan.FromMinutes(1)));
            }

            state.GiveWay();
            lock (state.Gate) order.Add("index");
            writer.Join();
            Assert.Equal(["write", "index"], order);
        }
    }
}
