using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: every log message says which store it is about. Method: a named store whose tail is torn, whose deletes, checkpoints and closing fail; then one whose buffered writes do.</summary>
public sealed class LogMessageTests
{
    [Fact]
    public async Task Every_message_names_the_store()
    {
        var log = new Messages();
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk)) await store.SetAsync("a", Lab.Doc(1));
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes => [.. bytes, (byte)'{']);

        var broken = StorageCalls.Delete;
        var hooked = new HookedStorage(disk)
        {
            Before = (call, _) => (call & broken) != 0 ? throw new StorageException(StorageFault.Unavailable, "not now") : Task.CompletedTask,
        };
        var named = Lab.Options(o => (o.Name, o.LoggerFactory, o.HistoryRetention, o.Checkpoint) = ("tasks", log, HistoryRetention.None, new CheckpointOptions { MinimumBytes = 0, MinimumOperations = 4, GracePeriod = TimeSpan.Zero }));
        var opened = await Lab.OpenAsync(hooked, named);
        await opened.CompactAsync();
        broken |= StorageCalls.Put;
        for (var i = 0; i < 8; i++) await opened.SetAsync("b", Lab.Doc(i));
        for (var tries = 0; tries < 600 && opened.Statistics.CheckpointFailure is null; tries++) await Task.Delay(50);
        await opened.DisposeAsync();

        var failing = Lab.Options(o => (o.Name, o.LoggerFactory, o.Durability, o.FlushInterval) = ("tasks", log, Durability.Buffered, TimeSpan.FromMilliseconds(1)));
        broken = StorageCalls.None;
        var buffered = await Lab.OpenAsync(hooked, failing);
        hooked.Before = (call, _) => call == StorageCalls.Append ? throw new StorageException(StorageFault.Broken, "gone") : Task.CompletedTask;
        await buffered.SetAsync("c", Lab.Doc(1));
        for (var tries = 0; tries < 600 && buffered.Statistics.Failure is null; tries++) await Task.Delay(50);
        for (var tries = 0; tries < 600 && !log.All.Any(m => m.Event == 4); tries++) await Task.Delay(50);
        await Assert.ThrowsAsync<OpsLogException>(async () => await buffered.DisposeAsync());

        Assert.Superset(new HashSet<int> { 1, 2, 3, 4, 5, 6, 8 }, log.All.Select(m => m.Event).ToHashSet());
        Assert.All(log.All, m => Assert.Contains("tasks", m.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_store_without_a_name_is_called_the_store()
    {
        var log = new Messages();
        await using var store = await Lab.OpenAsync(new MemoryStorage(), Lab.Options(o => o.LoggerFactory = log));
        Assert.StartsWith("Opened the store: 0 records", Assert.Single(log.All).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_met_while_a_store_is_open_names_it_too()
    {
        var log = new Messages();
        var disk = new MemoryStorage();
        await using var a = await Lab.OpenAsync(disk, Lab.Options(o => (o.AgentId, o.Name, o.LoggerFactory, o.Recovery) = ("A", "tasks", log, Recovery.SkipCorrupt)));
        await using var b = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "B"));
        var written = await b.SetAsync("k", Lab.Doc(1));
        await b.SetAsync("l", Lab.Doc(1));
        await b.DisposeAsync();
        await Lab.ChangeAsync(disk, new StorageKey(written.Log), bytes => Lab.FlipInLine(bytes, 1));
        await a.RefreshAsync();
        Assert.Contains(7, log.All.Select(m => m.Event));
        Assert.All(log.All, m => Assert.Contains("tasks", m.Text, StringComparison.Ordinal));
    }

    private sealed class Messages : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<(int Event, string Text)> All { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => All.Enqueue((eventId.Id, formatter(state, exception)));

        public void Dispose()
        {
        }
    }
}
