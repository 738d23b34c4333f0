using System.Text;
using System.Text.Json;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>get, set, rm, ls, undo, redo, compact, stats, archive, archives, export.</summary>
public class RecordVerbsTests
{
    [Fact]
    public async Task A_record_is_set_got_and_removed()
    {
        using var runner = new CliRunner();
        Assert.Equal(0, (await CliRunner.RunAsync("set", runner.Store, "@task/1", """{ "n": 1.0, "t": "\u00e9" }""")).Code);
        var got = await CliRunner.RunAsync("get", runner.Store, "@task/1");
        Assert.Equal((0, "{\"n\":1.0,\"t\":\"\\u00e9\"}\n"), (got.Code, got.Output));
        Assert.Equal(got.Output, (await CliRunner.RunAsync("get", runner.Store, "@task/1", "--json")).Output);

        Assert.Equal((0, "deleted\t@task/1\n"), CodeAndOutput(await CliRunner.RunAsync("rm", runner.Store, "@task/1")));
        var absent = await CliRunner.RunAsync("get", runner.Store, "@task/1", "--json");
        Assert.Equal((1, ""), (absent.Code, absent.Output));
        Assert.Equal("notFound", JsonDocument.Parse(absent.Error).RootElement.GetProperty("error").GetString());
    }

    [Fact]
    public async Task A_document_may_come_from_standard_input()
    {
        using var runner = new CliRunner();
        foreach (var arguments in new string[][] { ["set", runner.Store, "a"], ["set", runner.Store, "a", "-"] })
        {
            var result = await CliRunner.RunAsync(new MemoryStream("{\"from\":\"input\"}\n"u8.ToArray()), CancellationToken.None, arguments);
            Assert.Equal(0, result.Code);
        }

        Assert.Equal("{\"from\":\"input\"}\n", (await CliRunner.RunAsync("get", runner.Store, "a")).Output);
    }

    [Fact]
    public async Task Setting_tells_the_revision_to_scripts()
    {
        using var runner = new CliRunner();
        var result = await CliRunner.RunAsync("set", runner.Store, "a", "{}", "--json");
        using var parsed = JsonDocument.Parse(result.Output);
        Assert.Equal("a", parsed.RootElement.GetProperty("id").GetString());
        Assert.NotEmpty(parsed.RootElement.GetProperty("revision").GetString()!);
    }

    [Fact]
    public async Task Removing_is_exit_1_only_if_nothing_was_there()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}""", """{"id":"b","data":{}}"""]);
        Assert.Equal((0, "{\"id\":\"a\",\"deleted\":true}\n{\"id\":\"x\",\"deleted\":false}\n"), CodeAndOutput(await CliRunner.RunAsync("rm", runner.Store, "a", "x", "--json")));
        Assert.Equal((1, "absent\ta\n"), CodeAndOutput(await CliRunner.RunAsync("rm", runner.Store, "a")));
        Assert.Equal(2, (await CliRunner.RunAsync("rm", runner.Store, "")).Code);
    }

    [Fact]
    public async Task Ls_lists_in_ordinal_order_filters_and_limits()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(
        [
            """{"id":"b","data":{"s":"on","o":{"n":1}}}""",
            """{"id":"B","data":{"s":"on","o":{"n":2}}}""",
            """{"id":"a\tb","data":{"s":"off"}}""",
        ]);
        Assert.Equal(["B", "\"a\\tb\"", "b"], (await CliRunner.RunAsync("ls", runner.Store)).Lines);
        Assert.Equal(["B"], (await CliRunner.RunAsync("ls", runner.Store, "--limit", "1")).Lines);
        Assert.Equal(["B", "b"], (await CliRunner.RunAsync("ls", runner.Store, "--where", "s=on")).Lines);
        Assert.Equal(["""{"id":"b","data":{"s":"on","o":{"n":1}}}"""], (await CliRunner.RunAsync("ls", runner.Store, "--where", "s=on", "--where", "o.n=1", "--json")).Lines);
        Assert.Equal(["""b	{"s":"on","o":{"n":1}}"""], (await CliRunner.RunAsync("ls", runner.Store, "--where=o.n=1", "--long")).Lines);
        Assert.Equal((0, ""), CodeAndOutput(await CliRunner.RunAsync("ls", runner.Store, "--where", "s=none")));
    }

    [Fact]
    public async Task Undo_and_redo_walk_back_and_forth_over_runs_and_end_in_exit_1()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{"v":1}}""", """{"id":"a","data":{"v":2}}"""]);
        Assert.Equal((0, "undone\n"), CodeAndOutput(await CliRunner.RunAsync("undo", runner.Store)));
        Assert.Equal("{\"v\":1}\n", (await CliRunner.RunAsync("get", runner.Store, "a")).Output);
        Assert.Equal((0, "{\"redone\":true}\n"), CodeAndOutput(await CliRunner.RunAsync("redo", runner.Store, "--json")));
        Assert.Equal((1, "nothing to redo\n"), CodeAndOutput(await CliRunner.RunAsync("redo", runner.Store)));
        Assert.Equal(0, (await CliRunner.RunAsync("undo", runner.Store)).Code);
        Assert.Equal(0, (await CliRunner.RunAsync("undo", runner.Store)).Code);
        Assert.Equal((1, "{\"undone\":false}\n"), CodeAndOutput(await CliRunner.RunAsync("undo", runner.Store, "--json")));
    }

    [Fact]
    public async Task Compact_and_stats_tell_the_numbers()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}""", """{"id":"b","data":{}}"""]);
        var compacted = await CliRunner.RunAsync("compact", runner.Store, "--json");
        Assert.Equal(2, JsonDocument.Parse(compacted.Output).RootElement.GetProperty("records").GetInt64());
        Assert.StartsWith("2 records in ", (await CliRunner.RunAsync("compact", runner.Store)).Output, StringComparison.Ordinal);

        var stats = JsonDocument.Parse((await CliRunner.RunAsync("stats", runner.Store, "--json")).Output).RootElement;
        Assert.Equal(2, stats.GetProperty("records").GetInt64());
        Assert.Equal(1, stats.GetProperty("schemaVersion").GetInt32());
        Assert.Equal(JsonValueKind.Array, stats.GetProperty("archives").ValueKind);
        Assert.Contains("records\t2", (await CliRunner.RunAsync("stats", runner.Store)).Lines);
    }

    [Fact]
    public async Task Archiving_moves_records_by_id_or_by_value()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{"s":"done"}}""", """{"id":"b","data":{"s":"done"}}""", """{"id":"c","data":{"s":"open"}}"""]);
        Assert.Equal((0, "{\"archived\":2}\n"), CodeAndOutput(await CliRunner.RunAsync("archive", runner.Store, "--where", "s=done", "--segment", "s1", "--json")));
        Assert.Equal(1, (await CliRunner.RunAsync("archive", runner.Store, "--where", "s=done", "--segment", "s1")).Code);
        Assert.Equal((0, "archived 1 records\n"), CodeAndOutput(await CliRunner.RunAsync("archive", runner.Store, "--id", "c", "--id", "x", "--segment", "s2")));
        Assert.Equal(["s1", "s2"], (await CliRunner.RunAsync("archives", runner.Store)).Lines);
        Assert.Equal(["{\"segment\":\"s1\"}", "{\"segment\":\"s2\"}"], (await CliRunner.RunAsync("archives", runner.Store, "--json")).Lines);
        Assert.Equal(["""{"id":"a","data":{"s":"done"}}""", """{"id":"b","data":{"s":"done"}}"""], (await CliRunner.RunAsync("export", runner.Store, "--archive", "s1")).Lines);
        Assert.Equal(1, (await CliRunner.RunAsync("export", runner.Store, "--archive", "missing")).Code);
        Assert.Empty(await runner.ExportAsync());
    }

    [Fact]
    public async Task Export_orders_by_UTF16_code_unit()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"\uff00","data":{}}""", """{"id":"\ud83d\ude00","data":{}}""", """{"id":"Z","data":{}}""", """{"id":"a","data":{}}"""]);
        var ids = (await runner.ExportAsync()).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("id").GetString());
        Assert.Equal(["Z", "a", "😀", "\uff00"], ids);
    }

    [Theory]
    [InlineData("export STORE")]
    [InlineData("export STORE --archive s")]
    [InlineData("get STORE a")]
    [InlineData("rm STORE a")]
    [InlineData("ls STORE")]
    [InlineData("log STORE")]
    [InlineData("tail STORE")]
    [InlineData("undo STORE")]
    [InlineData("redo STORE")]
    [InlineData("compact STORE")]
    [InlineData("archive STORE --id a --segment s")]
    [InlineData("archives STORE")]
    [InlineData("stats STORE")]
    [InlineData("verify STORE")]
    [InlineData("backup STORE --to TARGET")]
    [InlineData("restore STORE --to TARGET")]
    [InlineData("repair STORE --to TARGET")]
    public async Task Where_there_is_no_store_is_exit_1_and_none_is_made(string text)
    {
        using var runner = new CliRunner();
        var result = await CliRunner.RunAsync(text.Replace("STORE", runner.Store, StringComparison.Ordinal)
            .Replace("TARGET", runner.PathOf("target"), StringComparison.Ordinal).Split(' '));
        Assert.Equal((1, ""), (result.Code, result.Output));
        Assert.NotEmpty(result.Error);
        Assert.False(Directory.Exists(runner.Store) && Directory.EnumerateFileSystemEntries(runner.Store).Any());
    }

    [Fact]
    public async Task Reading_works_beside_a_writer_and_a_second_writer_is_exit_3()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}"""]);
        await using var writer = await OpsStore<JsonElement>.OpenAsync(runner.Store);
        Assert.Single(await runner.ExportAsync());
        var second = await CliRunner.RunAsync("set", runner.Store, "b", "{}", "--json");
        Assert.Equal(3, second.Code);
        Assert.Equal("locked", JsonDocument.Parse(second.Error).RootElement.GetProperty("error").GetString());
    }

    [Fact]
    public async Task An_id_with_a_lone_surrogate_is_exported_as_an_escape()
    {
        using var runner = new CliRunner();
        Directory.CreateDirectory(Path.Combine(runner.Store, "ops"));
        const string Manifest = """{"version":1,"currentSnapshot":"snapshots/snap-1.jsonl","activeOps":"ops/ops-1.jsonl","archiveSegments":[],"stats":{"activeRecords":0,"archivedRecords":0,"opsCount":0,"created":"2026-01-01T00:00:00.000Z","lastCheckpoint":"2026-01-01T00:00:00.000Z"}}""";
        Directory.CreateDirectory(Path.Combine(runner.Store, "snapshots"));
        await File.WriteAllTextAsync(Path.Combine(runner.Store, "manifest.json"), Manifest, CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(runner.Store, "snapshots", "snap-1.jsonl"), "{\"version\":1,\"timestamp\":\"2026-01-01T00:00:00.000Z\"}\n", CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(runner.Store, "ops", "ops-1.jsonl"),
            "{\"ts\":\"2026-01-01T00:00:00.000Z\",\"op\":\"set\",\"id\":\"x\\ud800\",\"data\":{\"v\":1},\"prev\":null}\n", Encoding.UTF8, CancellationToken.None);
        Assert.Equal(["{\"id\":\"x\\ud800\",\"data\":{\"v\":1}}"], await runner.ExportAsync());
    }

    private static (int, string) CodeAndOutput(CliResult result) => (result.Code, result.Output);
}
