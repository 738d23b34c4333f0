using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a process that was stopped in the middle of changing the manifest holds others up, and they say so; it is not taken for others that are
/// quicker. Method: a storage that says the manifest is held, and a clock that goes on by itself.
/// </summary>
public sealed class HeldManifestTests
{
    [Fact]
    public async Task F21_a_write_that_needs_a_held_manifest_says_so_and_works_once_it_is_free()
    {
        var disk = new MemoryStorage();
        await using (var first = await Lab.OpenAsync(disk)) await first.SetAsync("k", Lab.Doc(1));
        var held = new HeldStorage(disk);
        var time = new HastyTime();
        await using var a = await Lab.OpenAsync(held, Lab.Options(o => (o.AgentId, o.TimeProvider) = ("A", time)));
        held.Holds = true;
        var refusal = await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await a.SetAsync("a", Lab.Doc(2)));
        Assert.True(refusal.IsTransient);
        Assert.Contains("process 42", refusal.Message, StringComparison.Ordinal);
        Assert.True(time.Waited >= TimeSpan.FromMinutes(1), $"{time.Waited}");
        Assert.Equal(0, a.Statistics.ManifestConflicts);
        Assert.Equal("k = {\"n\":1}", Runs.Text(a));
        held.Holds = false;
        await a.SetAsync("a", Lab.Doc(3));
        Assert.Equal("a = {\"n\":3}\nk = {\"n\":1}", await Lab.StateAsync(disk));
    }

    /// <summary>Every delay is over at once, and the clock knows.</summary>
    private sealed class HastyTime : TimeProvider
    {
        private long _ticks;

        public TimeSpan Waited => new(Interlocked.Read(ref _ticks));

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _ticks);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime > TimeSpan.Zero) Interlocked.Add(ref _ticks, dueTime.Ticks);
            return TimeProvider.System.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? TimeSpan.Zero : dueTime, period);
        }
    }

    private sealed class HeldStorage(IOpsStorage inner) : IOpsStorage
    {
        public bool Holds { get; set; }

        public StorageCapabilities Capabilities => inner.Capabilities;

        public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => inner.ReadAsync(key, range, cancellationToken);

        public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) =>
            Holds && key == Lab.Manifest ? new(new PutResult(PutOutcome.Held, Detail: "Held by process 42.")) : inner.PutAsync(key, content, condition, cancellationToken);

        public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
            inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);

        public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => inner.ListAsync(prefix, after, cancellationToken);

        public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => inner.DeleteAsync(key, cancellationToken);

        public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => inner.ReleaseAsync(key, cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
