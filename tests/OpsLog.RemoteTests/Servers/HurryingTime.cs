using Microsoft.Extensions.Time.Testing;

namespace OpsLog.RemoteTests.Servers;

/// <summary>A clock whose delays are over at once, and that has then moved on by them; time limits of requests never strike.</summary>
internal sealed class HurryingTime(FakeTimeProvider time) : TimeProvider
{
    private static readonly TimeSpan s_requestLimit = TimeSpan.FromSeconds(30);

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow();

    public override long GetTimestamp() => time.GetTimestamp();

    public override long TimestampFrequency => time.TimestampFrequency;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, dueTime < s_requestLimit ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, period);
}
