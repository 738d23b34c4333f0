using System.Text.Json;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: agents that are paused, doubled, silent, or all at work at once lose nothing, and a storage, a program or a schema that does not fit is refused.
/// Method: scenarios step by step, and threads that write, compact, undo and archive as fast as they can.
/// </summary>
public sealed class AgentRaceTests
{
    /// <summary>The sequence that broke others: paused, sealed, folded, collected, resumed.</summary>
    [Theory]
    [InlineData(Site.Append, "set")]
    [InlineData(Site.Append, "undo")]
    [InlineData(Site.Append, "archive")]
    [InlineData(Site.Append, "compact")]
    [InlineData(Site.Append, "close")]
    [InlineData(Site.Numbered, "set")]
    [InlineData(Site.Numbered, "undo")]
    [InlineData(Site.Numbered, "archive")]
    [InlineData(Site.Numbered, "compact")]
    [InlineData(Site.Numbered, "close")]
    public async Task F21_an_agent_paused_until_its_log_was_collected_goes_on_in_a_new_one(string kind, string then)
    {
        await using var site = new Site(kind);
        var paused = await site.OpenAsync("A");
        await paused.SetAsync("a", Lab.Doc(1));
        var log = (await paused.SetAsync("a2", Lab.Doc(2))).Log;
        for (var i = 0; i < 3; i++)
        {
            var b = await site.OpenAsync("B", o => (o.Checkpoint.SilentAfter, o.HistoryRetention) = (TimeSpan.Zero, HistoryRetention.None));
            await b.SetAsync("b", Lab.Doc(i));
            await b.CompactAsync();
            await b.DisposeAsync();
        }

        Assert.DoesNotContain(log, await Lab.NamesAsync(site.Storage));
        var expected = "a = {\"n\":1}\na2 = {\"n\":2}\nb = {\"n\":2}";
        switch (then)
        {
            case "set":
                var revision = await paused.SetAsync("a2", Lab.Doc(3));
                Assert.NotEqual(log, revision.Log);
                Assert.Equal(1, paused.Statistics.Fenced);
                expected = expected.Replace("a2 = {\"n\":2}", "a2 = {\"n\":3}", StringComparison.Ordinal);
                break;
            case "undo":
                // Nothing is retained: what compaction has merged away is not restored. Either answer is the truth.
                if (await paused.UndoAsync()) expected = expected.Replace("a2 = {\"n\":2}\n", "", StringComparison.Ordinal);
                break;
            case "archive":
                Assert.Equal(1, await paused.ArchiveAsync(["a2"], "2026"));
                expected = expected.Replace("a2 = {\"n\":2}\n", "", StringComparison.Ordinal);
                break;
            case "compact":
                await paused.CompactAsync();
                break;
        }

        if (then != "close") await site.AssertAgreeAsync(expected, paused);
        await paused.DisposeAsync();
        await site.AssertAgreeAsync(expected);
    }

    /// <summary>A machine is copied while it writes, and both go on with one log: the first to append has it, the other goes on in one of its own.</summary>
    [Fact]
    public async Task F20_a_doubled_writer_of_one_log_loses_no_history()
    {
        var disk = new MemoryStorage();
        var a = await Lab.OpenAsync(disk, Agent("A"));
        await a.SetAsync("k", Lab.Doc(1));
        var log = new StorageKey((await a.SetAsync("l", Lab.Doc(2))).Log);
        await a.SetAsync("m", Lab.Doc(3));
        var length = (await Lab.ReadAsync(disk, log)).Length;
        var foreign = await LineOfTheDoubleAsync(disk, length);
        await disk.AppendAsync(log, foreign, length, Flush.Synced, default);
        var revision = await a.SetAsync("n", Lab.Doc(4));
        Assert.NotEqual(log.Value, revision.Log);
        await a.RefreshAsync();
        Assert.Equal(await Lab.StateAsync(disk), Runs.Text(a));
        const string Expected = "foreign = {\"n\":5}\nk = {\"n\":1}\nl = {\"n\":2}\nm = {\"n\":3}\nn = {\"n\":4}";
        Assert.Equal(Expected, Runs.Text(a));
        await a.CompactAsync();
        Assert.Equal(Expected, await Lab.StateAsync(disk));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task F22_what_a_dead_agent_held_holds_nobody_up(string kind)
    {
        await using var site = new Site(kind);
        var dead = await site.OpenAsync("A");
        await dead.SetAsync("a", Lab.Doc(1));
        await dead.DeleteAsync("a");
        await dead.SetAsync("a2", Lab.Doc(2));
        var b = await site.OpenAsync("B", o => o.Checkpoint.SilentAfter = kind == Site.Folder ? TimeSpan.FromDays(1) : TimeSpan.Zero);
        await b.SetAsync("b", Lab.Doc(1));
        if (kind == Site.Folder)
        {
            await b.CompactAsync(); // A lives: its log stays
            Assert.Contains(b.Agents, agent => agent.Agent == "A");
        }

        await site.KillAsync(dead);
        await b.CompactAsync();
        await b.CompactAsync();
        Assert.DoesNotContain(b.Agents, agent => agent.Agent == "A");
        Assert.Equal(0, b.Statistics.Tombstones);
        await site.AssertAgreeAsync("a2 = {\"n\":2}\nb = {\"n\":1}", b);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task F24_F37_agents_that_write_undo_archive_and_compact_at_once_lose_nothing(string kind)
    {
        await using var site = new Site(kind);
        var agents = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() => WorkAsync(site, i))));
        var expected = string.Join('\n', Enumerable.Range(0, 4).SelectMany(i => Enumerable.Range(0, 25).Where(n => n % 5 != 4).Select(n => $"k{i}-{n:00} = {{\"n\":{n}}}")));
        await site.AssertAgreeAsync(expected, agents);
        Assert.Equal(20, (await agents[0].LoadArchiveAsync("2026")).Count);
        await Task.WhenAll(agents.Select(agent => agent.CompactAsync().AsTask()));
        await site.AssertAgreeAsync(expected, agents);
        Assert.True(agents.Sum(agent => agent.Statistics.Checkpoints) > 8);

        static async Task<OpsStore<JsonElement>> WorkAsync(Site site, int i)
        {
            var agent = await site.OpenAsync($"agent-{i}", o => o.Durability = Durability.Os);
            for (var n = 0; n < 25; n++)
            {
                await agent.SetAsync($"k{i}-{n:00}", Lab.Doc(n));
                await agent.SetAsync($"k{i}-{n:00}", Lab.Doc(-1));
                Assert.True(await agent.UndoAsync());
                if (n % 5 == 4) Assert.Equal(1, await agent.ArchiveAsync([$"k{i}-{n:00}"], "2026"));
                if (n % 8 == i) await agent.CompactAsync();
                if (n % 3 == 0) await agent.RefreshAsync();
            }

            return agent;
        }
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("old")]
    [InlineData("reversed")]
    public async Task F29_a_listing_that_lies_makes_no_agent_delete_what_counts(string lie)
    {
        var disk = new MemoryStorage();
        List<StorageEntry>? first = null;
        var lying = new HookedStorage(disk)
        {
            Listing = entries => lie switch
            {
                "nothing" => [],
                "old" => first ??= entries,
                _ => Enumerable.Reverse(entries),
            },
        };
        var a = await Lab.OpenAsync(lying, Agent("A", o => o.HistoryRetention = HistoryRetention.None));
        await using var b = await Lab.OpenAsync(disk, Agent("B"));
        for (var i = 0; i < 6; i++)
        {
            await a.SetAsync($"a{i}", Lab.Doc(i));
            await b.SetAsync($"b{i}", Lab.Doc(i));
            await a.CompactAsync();
            if (i % 2 == 0) await b.CompactAsync();
        }

        await a.DisposeAsync();
        await b.RefreshAsync();
        Assert.Equal(12, b.Count);
        Assert.Equal(Runs.Text(b), await Lab.StateAsync(disk));
        Assert.True((await OpsStore.VerifyAsync(disk)).IsSound);
    }

    /// <summary>Nothing could fence anybody there: many writers are refused before the first line.</summary>
    [Theory]
    [InlineData(PutConditionKind.IfAbsent)]
    [InlineData(PutConditionKind.IfVersion)]
    public async Task F30_a_storage_that_ignores_conditions_is_refused_to_agents(PutConditionKind ignored)
    {
        var disk = new MemoryStorage();
        await using (var single = await Lab.OpenAsync(disk)) await single.SetAsync("k", Lab.Doc(1));
        var failure = await Record.ExceptionAsync(async () =>
        {
            await using var a = await Lab.OpenAsync(new CarelessStorage(disk, ignored), Agent("A"));
            await a.SetAsync("a", Lab.Doc(1));
        });
        Assert.IsType<OpsLogException>(failure);
    }

    [Fact]
    public async Task F31_an_agent_never_writes_to_what_became_newer_than_itself()
    {
        var disk = new MemoryStorage();
        var a = await Lab.OpenAsync(disk, Agent("A"));
        await a.SetAsync("a", Lab.Doc(1));
        await Lab.ChangeManifestAsync(disk, ours => (ours["format"], ours["reader"], ours["revision"]) = (99, 99, (long)ours["revision"]! + 1));
        var manifest = Convert.ToBase64String(await Lab.ReadAsync(disk, Lab.Manifest));
        await Lab.RefusedAsync(OpsLogError.TooNew, async Task () => await a.RefreshAsync());
        await Lab.RefusedAsync(OpsLogError.TooNew, () => a.CompactAsync());
        await Lab.OpeningRefusedAsync(OpsLogError.TooNew, disk, Agent("B"));
        Assert.Equal("a = {\"n\":1}", Runs.Text(a));
        await Runs.AbandonAsync(a);
        Assert.Equal(manifest, Convert.ToBase64String(await Lab.ReadAsync(disk, Lab.Manifest)));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task F32_logs_are_migrated_each_from_its_own_version_and_older_programs_are_refused(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync("A", async a =>
        {
            await a.SetAsync("snapshot", Lab.Doc(1));
            await a.CompactAsync();
            await a.SetAsync("log", Lab.Doc(2));
        });
        var b = await site.OpenAsync("B", Newer);
        const string Migrated = "log = {\"n\":2,\"v\":2}\nsnapshot = {\"n\":1,\"v\":2}";
        Assert.Equal(Migrated, Runs.Text(b));
        await b.SetAsync("new", StoreReading.Element("{\"v\":2}"));
        var c = await site.OpenAsync("C", Newer);
        Assert.Equal(Migrated.Replace("snapshot", "new = {\"v\":2}\nsnapshot", StringComparison.Ordinal), Runs.Text(c));
        await c.CompactAsync();
        await b.RefreshAsync();
        Assert.Equal(Runs.Text(c), Runs.Text(b));
        await Lab.RefusedAsync(OpsLogError.TooNew, async Task () => await site.OpenAsync("A", o => o.SchemaVersion = 1));

        static void Newer(OpsStoreOptions options)
        {
            options.SchemaVersion = 2;
            options.Migrate = (document, version) =>
            {
                Assert.Equal(1, version);
                document!["v"] = 2;
                return document;
            };
        }
    }

    [Theory]
    [InlineData("""{"n":1.50,"big":123456789012345678901234567890,"minus":-0,"e":1e400}""")]
    [InlineData("""{"b":1,"a":2,"b":3}""")]
    [InlineData("{\"text\":\"\u2028 😀 \\ud800 ,\\\"crc\\\":\\\"00000000\\\"}\"}")]
    public async Task F36_documents_come_back_byte_for_byte_from_other_agents_and_from_snapshots(string document)
    {
        await using var site = new Site(Site.Append);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        await a.SetAsync("k", StoreReading.Element(document));
        await site.AssertAgreeAsync($"k = {document}", a, b);
        await b.CompactAsync();
        await site.AssertAgreeAsync($"k = {document}", a, b);
    }

    private static OpsStoreOptions Agent(string id, Action<OpsStoreOptions>? change = null) => Lab.Options(o =>
    {
        o.AgentId = id;
        change?.Invoke(o);
    });

    /// <summary>A line as the agent's double appends it: the engine's own, sealed for the place where it will stand.</summary>
    private static async Task<byte[]> LineOfTheDoubleAsync(MemoryStorage disk, int offset)
    {
        var copy = await Lab.CopyAsync(disk);
        await using var store = await Lab.OpenAsync(copy, Agent("A"));
        var log = new StorageKey((await store.SetAsync("foreign", Lab.Doc(5))).Log);
        var line = await Lab.ReadAsync(copy, log);
        JsonLines.Reseal(line.AsSpan(0, line.Length - 1), offset);
        return line;
    }

    /// <summary>A storage that takes every put of one condition as if there were none.</summary>
    private sealed class CarelessStorage(IOpsStorage inner, PutConditionKind ignored) : IOpsStorage
    {
        public StorageCapabilities Capabilities => inner.Capabilities;

        public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => inner.ReadAsync(key, range, cancellationToken);

        public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) =>
            inner.PutAsync(key, content, condition.Kind == ignored ? PutCondition.Always : condition, cancellationToken);

        public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
            inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);

        public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => inner.ListAsync(prefix, after, cancellationToken);

        public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => inner.DeleteAsync(key, cancellationToken);

        public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => inner.ReleaseAsync(key, cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
