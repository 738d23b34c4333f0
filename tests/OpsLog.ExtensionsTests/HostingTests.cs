using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using OpsLog.Extensions;
using OpsLog.Storage;
using OpsLog.StorageTests;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.ExtensionsTests;

/// <summary>Goal: a store lives as long as its host, and gets from the container what a store can use. Method: real hosts, stores in memory.</summary>
public sealed class HostingTests
{
    [Fact]
    public async Task A_store_opens_with_the_host_and_closes_with_it()
    {
        var storage = new MemoryStorage();
        using var host = Build(services => services.AddOpsLog<Note>(o => o.Storage = _ => storage));
        var early = Assert.Throws<InvalidOperationException>(() => host.Services.GetRequiredService<OpsStore<Note>>());
        Assert.Contains("opens when the host starts", early.Message, StringComparison.Ordinal);
        await host.StartAsync();
        var store = host.Services.GetRequiredService<OpsStore<Note>>();
        await store.SetAsync("a", new Note("kept"));
        await host.StopAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.SetAsync("b", new Note("late")));
        await using var again = await OpsStore<Note>.OpenAsync(storage);
        Assert.Equal(new Note("kept"), again["a"]);
    }

    [Fact]
    public async Task The_store_is_open_before_other_services_start_and_until_they_have_stopped()
    {
        var storage = new MemoryStorage();
        using var host = Build(services => services.AddHostedService<Writer>().AddOpsLog<Note>(o => o.Storage = _ => storage));
        await host.StartAsync();
        await host.StopAsync();
        await using var again = await OpsStore<Note>.OpenAsync(storage);
        Assert.Equal(["started", "stopped"], again.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Closing_makes_a_checkpoint_if_one_is_due()
    {
        var storage = new MemoryStorage();
        using var host = Build(services => services.AddOpsLog<Note>(o =>
        {
            o.Storage = _ => storage;
            o.Store.Durability = Durability.Buffered;
            (o.Store.Checkpoint.MinimumBytes, o.Store.Checkpoint.MinimumOperations) = (0, 3);
        }));
        await host.StartAsync();
        var store = host.Services.GetRequiredService<OpsStore<Note>>();
        await store.BatchAsync(b => { for (var i = 0; i < 3; i++) b.Set($"{i}", new Note("text")); });
        await host.StopAsync();
        await using var again = await OpsStore<Note>.OpenAsync(storage);
        Assert.Equal(3, again.RecoveryReport.SnapshotRecords);
    }

    [Fact]
    public async Task Several_stores_of_one_type_are_told_apart_by_their_names()
    {
        using var host = Build(services => services
            .AddOpsLog<Note>("drafts", o => o.Storage = _ => new MemoryStorage())
            .AddOpsLog<Note>("letters", o => o.Storage = _ => new MemoryStorage())
            .AddSingleton<Desk>());
        await host.StartAsync();
        var desk = host.Services.GetRequiredService<Desk>();
        await desk.Drafts.SetAsync("1", new Note("draft"));
        Assert.Empty(desk.Letters);
        Assert.NotSame(desk.Drafts, desk.Letters);
    }

    [Fact]
    public void Two_registrations_of_one_type_and_name_are_refused()
    {
        var services = new ServiceCollection().AddOpsLog<Note>("drafts", o => o.Location = "a");
        var refusal = Assert.Throws<InvalidOperationException>(() => services.AddOpsLog<Note>("drafts", o => o.Location = "b"));
        Assert.Contains("AddOpsLog<Note>(\"drafts\")", refusal.Message, StringComparison.Ordinal);
        Assert.NotNull(services.AddOpsLog<string>("drafts", o => o.Location = "c"));
    }

    [Theory]
    [InlineData("neither", "set either Location or Storage")]
    [InlineData("both", "set either Location or Storage")]
    [InlineData("range", "1 ms to 1 hour")]
    public async Task Wrong_options_stop_the_host_from_starting(string fault, string message)
    {
        using var host = Build(services => services.AddOpsLog<Note>(o =>
        {
            if (fault != "neither") o.Storage = _ => new MemoryStorage();
            if (fault == "both") o.Location = "here";
            if (fault == "range") o.Store.FlushInterval = TimeSpan.Zero;
        }));
        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
        Assert.Contains("AddOpsLog<Note>()", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_cannot_be_opened_stops_the_host_from_starting_and_its_storage_is_disposed()
    {
        var log = new Messages();
        var storage = new FaultyStorage(new MemoryStorage());
        storage.Inject(new InjectedFault { Calls = StorageCalls.Read, Count = int.MaxValue, Fault = StorageFault.Denied });
        using var host = Build(services => services.AddOpsLog<Note>("notes", o => o.Storage = _ => storage), log);
        var refusal = await Assert.ThrowsAsync<OpsLogException>(() => host.StartAsync());
        Assert.Equal(OpsLogError.StorageFailed, refusal.Error);
        Assert.Contains(("OpsLog.Hosting", 101, LogLevel.Critical), log.Seen);
    }

    [Fact]
    public async Task The_logger_and_the_clock_come_from_the_container()
    {
        var log = new Messages();
        var time = new FakeTimeProvider(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));
        using var host = Build(services => services.AddSingleton<TimeProvider>(time).AddOpsLog<Note>(o => o.Storage = _ => new MemoryStorage()), log);
        await host.StartAsync();
        var store = host.Services.GetRequiredService<OpsStore<Note>>();
        Assert.Equal(time.GetUtcNow(), store.Statistics.Created);
        await store.SetAsync("a", new Note("1"));
        await store.CompactAsync();
        await host.StopAsync();
        Assert.Equal([("OpsLog", 1), ("OpsLog.Hosting", 100), ("OpsLog", 2), ("OpsLog.Hosting", 102)], log.Seen.Select(m => (m.Category, m.Event)));
    }

    [Theory]
    [InlineData(null, "notes")]
    [InlineData("orders", "orders")]
    public async Task Messages_of_the_host_call_the_store_as_its_own_messages_do(string? name, string shown)
    {
        var log = new Messages();
        using var host = Build(services => services.AddOpsLog<Note>("notes", o => (o.Storage, o.Store.Name) = (_ => new MemoryStorage(), name)), log);
        await host.StartAsync();
        await host.StopAsync();
        Assert.All(log.Texts, text => Assert.Contains(shown, text, StringComparison.Ordinal));
        var early = Assert.Throws<InvalidOperationException>(() => host.Services.GetRequiredKeyedService<OpsStore<Note>>("notes"));
        Assert.StartsWith($"The store '{shown}' is not open", early.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_relative_folder_counts_from_the_content_root()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.Path);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = folder.Path });
        builder.Services.AddOpsLog<Note>(o => o.Location = "data/notes");
        using var host = builder.Build();
        await host.StartAsync();
        await host.StopAsync();
        Assert.True(File.Exists(folder.File("data/notes/manifest.json")));
    }

    [Fact]
    public async Task A_host_that_is_disposed_without_being_stopped_closes_the_store_too()
    {
        using var folder = new TemporaryFolder();
        using (var host = Build(services => services.AddOpsLog<Note>(o => o.Location = folder.Path)))
        {
            await host.StartAsync();
            await host.Services.GetRequiredService<OpsStore<Note>>().SetAsync("a", new Note("1"));
        }

        await using var again = await OpsStore<Note>.OpenAsync(folder.Path);
        Assert.Single(again);
    }

    [Fact]
    public async Task Disposing_the_host_waits_for_a_store_whose_closing_the_time_for_stopping_did_not_suffice_for()
    {
        var (disk, time, log) = (new MemoryStorage(), new FakeTimeProvider(), new Messages());
        var storage = new FaultyStorage(disk, timeProvider: time);
        var host = Build(services => services.AddOpsLog<Note>(o => (o.Storage, o.Store.Durability, o.Store.FlushInterval) = (_ => storage, Durability.Buffered, TimeSpan.FromHours(1))), log);
        await host.StartAsync();
        await host.Services.GetRequiredService<OpsStore<Note>>().SetAsync("a", new Note("kept"));
        storage.Inject(new InjectedFault { Calls = StorageCalls.Append, Delay = TimeSpan.FromHours(1), OnlyDelay = true });
        foreach (var service in host.Services.GetServices<IHostedService>().OfType<IHostedLifecycleService>()) await service.StoppedAsync(new CancellationToken(canceled: true));
        Assert.Contains(("OpsLog.Hosting", 104, LogLevel.Warning), log.Seen);

        var disposing = ((IAsyncDisposable)host).DisposeAsync().AsTask();
        Assert.False(disposing.IsCompleted);
        time.Advance(TimeSpan.FromHours(1));
        await disposing.WaitAsync(TimeSpan.FromSeconds(20));
        await using var again = await OpsStore<Note>.OpenAsync(disk);
        Assert.Equal(new Note("kept"), again["a"]);
    }

    private static IHost Build(Action<IServiceCollection> configure, ILoggerProvider? log = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        if (log is not null) builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Debug).AddFilter("Microsoft", LogLevel.None);
        configure(builder.Services);
        return builder.Build();
    }

    private sealed class Writer(IServiceProvider services) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken) =>
            await services.GetRequiredService<OpsStore<Note>>().SetAsync("started", new Note("1"), cancellationToken: cancellationToken);

        public async Task StopAsync(CancellationToken cancellationToken) =>
            await services.GetRequiredService<OpsStore<Note>>().SetAsync("stopped", new Note("1"), cancellationToken: cancellationToken);
    }

    private sealed class Desk([FromKeyedServices("drafts")] OpsStore<Note> drafts, [FromKeyedServices("letters")] OpsStore<Note> letters)
    {
        public OpsStore<Note> Drafts => drafts;

        public OpsStore<Note> Letters => letters;
    }

    private sealed class Messages : ILoggerProvider
    {
        public List<(string Category, int Event, LogLevel Level)> Seen { get; } = [];

        public List<string> Texts { get; } = [];

        public ILogger CreateLogger(string categoryName) => new Logger(categoryName, this);

        public void Dispose()
        {
        }

        private sealed class Logger(string category, Messages messages) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            {
                if (!category.StartsWith("OpsLog", StringComparison.Ordinal)) return;
                lock (messages)
                {
                    messages.Seen.Add((category, eventId.Id, logLevel));
                    messages.Texts.Add(formatter(state, exception));
                }
            }
        }
    }
}
