using System.Text.Json;
using OpsLog.Cli;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>backup, restore, verify, repair, and what --recovery does.</summary>
public class CopyVerbsTests
{
    [Fact]
    public async Task A_backup_restores_to_the_same_state()
    {
        using var runner = await FilledAsync();
        var backup = runner.PathOf("backup");
        var restored = runner.PathOf("restored");
        Assert.Equal(0, (await CliRunner.RunAsync("backup", runner.Store, "--to", backup)).Code);
        var result = await CliRunner.RunAsync("restore", backup, "--to", restored, "--json");
        Assert.Equal(0, result.Code);
        Assert.Equal(restored, JsonDocument.Parse(result.Output).RootElement.GetProperty("restored").GetString());
        Assert.Equal(await runner.ExportAsync(), (await CliRunner.RunAsync("export", restored)).Lines);
        Assert.NotEqual(0, (await CliRunner.RunAsync("restore", backup, "--to", restored)).Code);
    }

    [Fact]
    public async Task A_copy_has_the_same_state_and_only_an_empty_place_takes_one()
    {
        using var runner = await FilledAsync();
        var copied = runner.PathOf("copied");
        var result = await CliRunner.RunAsync("copy", runner.Store, "file://" + copied, "--json");
        Assert.Equal((0, ""), (result.Code, result.Error));
        var report = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal(("file://" + copied, 20), (report.GetProperty("copied").GetString(), report.GetProperty("records").GetInt32()));
        Assert.Equal(await runner.ExportAsync(), (await CliRunner.RunAsync("export", copied)).Lines);
        Assert.Equal(3, (await CliRunner.RunAsync("copy", runner.Store, copied)).Code);
        Assert.Equal(2, (await CliRunner.RunAsync("copy", runner.Store, runner.Store)).Code);
        Assert.Equal(1, (await CliRunner.RunAsync("copy", runner.PathOf("none"), runner.PathOf("other"))).Code);
        File.Delete(Path.Combine(copied, "manifest.json")); // as if it had been interrupted
        Assert.Equal(0, (await CliRunner.RunAsync("copy", runner.Store, copied)).Code);
    }

    [Fact]
    public async Task A_file_URI_is_the_folder_it_names()
    {
        using var runner = await FilledAsync();
        var uri = "file://" + runner.Store;
        foreach (var (from, to) in new[] { (runner.Store, uri), (uri, runner.Store), (uri, uri + "/"), (runner.Store, uri + "/inside"), (uri, uri + "/in%73ide"), (uri, "file://LOCALHOST" + runner.Store + "/inside"), ("FILE" + uri[4..], uri + "/x/../inside") })
        {
            Assert.Equal(2, (await CliRunner.RunAsync("backup", from, "--to", to)).Code);
            Assert.Equal(2, (await CliRunner.RunAsync("copy", from, to)).Code);
        }

        Assert.False(Directory.Exists(Path.Combine(runner.Store, "inside")));
        Assert.Equal(0, (await CliRunner.RunAsync("backup", uri, "--to", "file://" + runner.PathOf("outside"))).Code);
        Assert.True(File.Exists(Path.Combine(runner.PathOf("outside"), "manifest.json")));
    }

    [Theory]
    [InlineData("postgres://u:hunter2@host/db", 2)]
    [InlineData("postgres://u:hunter2@127.0.0.1:1/db?store=s&connect_timeout=1&password=hunter2", 5)]
    [InlineData("s3://key:hunter2@bucket/prefix", 2)]
    [InlineData("nosuch://u:hunter2@host/x?secret=hunter2", 2)]
    public async Task A_location_that_cannot_be_opened_is_told_without_its_secrets(string location, int code)
    {
        using var runner = await FilledAsync();
        foreach (var arguments in (string[][])[["get", location, "x"], ["copy", runner.Store, location, "--json"], ["backup", runner.Store, "--to", location]])
        {
            var result = await CliRunner.RunAsync(arguments);
            Assert.Equal(code, result.Code);
            Assert.DoesNotContain("hunter2", result.Output + result.Error, StringComparison.Ordinal);
            Assert.NotEmpty(result.Error);
            if (code == 5) break; // it takes its time
        }

        string[][] mistaken =
        [
            ["backup", runner.Store, location],
            ["backup", runner.Store, $"--too={location}"],
            ["backup", runner.Store, $"--too:{location}", "--json"],
            [location, "ls"],
            [$"ls {location}"],
            [$"{location},{location}", "ls"],
            [$"file:///x,{location}", "ls"],
            ["verify", runner.Store, location],
            ["verify", runner.Store, "--json", location],
            ["apply", runner.Store, location],
            ["apply", runner.Store, location, "--json"],
            ["ls", runner.Store, "--limit", location],
            ["ls", runner.Store, "--where", location.Replace('=', '-')],
            ["ls", runner.Store, $"--recovery={location}"],
            ["ls", runner.Store, "--cache", location],
            ["log", runner.Store, "--since", location],
        ];
        foreach (var arguments in mistaken)
        {
            var result = await CliRunner.RunAsync(arguments);
            Assert.Equal((2, ""), (result.Code, result.Output));
            Assert.DoesNotContain("hunter2", result.Error, StringComparison.Ordinal);
            Assert.NotEmpty(result.Error);
        }

        var file = await CliRunner.RunAsync("apply", runner.Store, location);
        Assert.Contains($"FILE is a file, not {StoreLocation.Shown(location)}: STORE comes first", file.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sound_store_verifies()
    {
        using var runner = await FilledAsync();
        var text = await CliRunner.RunAsync("verify", runner.Store);
        Assert.Equal((0, ""), (text.Code, text.Error));
        Assert.Contains("result\tsound", text.Lines);
        var report = JsonDocument.Parse((await CliRunner.RunAsync("verify", runner.Store, "--json")).Output).RootElement;
        Assert.True(report.GetProperty("sound").GetBoolean());
        Assert.Equal(20, report.GetProperty("records").GetInt64());
        Assert.Equal(0, report.GetProperty("damages").GetArrayLength());
    }

    [Fact]
    public async Task A_torn_tail_is_a_note_to_verify_and_refused_only_when_strict()
    {
        using var runner = await FilledAsync();
        await File.AppendAllTextAsync(Log(runner), "{\"ts\":\"2026", CancellationToken.None);
        var report = await CliRunner.RunAsync("verify", runner.Store, "--json");
        Assert.Equal(0, report.Code);
        var note = JsonDocument.Parse(report.Output).RootElement.GetProperty("notes")[0];
        Assert.Equal("tornTail", note.GetProperty("kind").GetString());
        Assert.Equal(21, note.GetProperty("line").GetInt64());

        var export = await CliRunner.RunAsync("export", runner.Store);
        Assert.Equal((0, 20), (export.Code, export.Lines.Length));
        Assert.Contains("note", export.Error, StringComparison.Ordinal);
        Assert.Equal(4, (await CliRunner.RunAsync("export", runner.Store, "--recovery", "strict")).Code);
    }

    [Fact]
    public async Task A_damaged_line_is_named_by_file_line_and_offset_skipped_on_demand_and_repaired_elsewhere()
    {
        using var runner = await FilledAsync();
        var log = Log(runner);
        var bytes = await File.ReadAllBytesAsync(log, CancellationToken.None);
        var offset = Array.IndexOf(bytes, (byte)'\n') + 1;
        bytes[offset + 20] ^= 1;
        await File.WriteAllBytesAsync(log, bytes, CancellationToken.None);
        var place = $"ops/{Path.GetFileName(log)}:2:{offset}";

        var export = await CliRunner.RunAsync("export", runner.Store);
        Assert.Equal((4, ""), (export.Code, export.Output));
        Assert.Contains(place, export.Error, StringComparison.Ordinal);
        Assert.Contains("--recovery skip-corrupt", export.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Recovery.", export.Error, StringComparison.Ordinal); // the library's name for it

        var verify = await CliRunner.RunAsync("verify", runner.Store, "--json");
        Assert.Equal(4, verify.Code);
        Assert.DoesNotContain("opslog verify", verify.Error, StringComparison.Ordinal); // it has just been run
        Assert.Contains($"damaged in 1 places, first at {place}: ", verify.Error, StringComparison.Ordinal);
        foreach (var arguments in (string[][])[["restore", "--to"], ["backup", "--recovery", "skip-corrupt", "--to"], ["copy"]])
        {
            var refused = await CliRunner.RunAsync([arguments[0], runner.Store, .. arguments[1..], runner.PathOf("refused-" + arguments[0])]);
            Assert.Equal(4, refused.Code);
            Assert.Contains(place, refused.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("skip-corrupt", refused.Error, StringComparison.Ordinal); // it does not help them
            Assert.DoesNotContain("Recovery.", refused.Error, StringComparison.Ordinal);
            if (arguments[0] == "restore") Assert.Contains("Restore another one", refused.Error, StringComparison.Ordinal);
        }

        var damage = JsonDocument.Parse(verify.Output).RootElement.GetProperty("damages")[0];
        Assert.Equal((2L, (long)offset), (damage.GetProperty("line").GetInt64(), damage.GetProperty("offset").GetInt64()));
        Assert.Contains(place, (await CliRunner.RunAsync("verify", runner.Store)).Output, StringComparison.Ordinal);

        var skipping = await CliRunner.RunAsync("export", runner.Store, "--recovery", "skip-corrupt");
        Assert.Equal((0, 19), (skipping.Code, skipping.Lines.Length));
        Assert.Contains("skipped: " + place, skipping.Error, StringComparison.Ordinal);

        var target = runner.PathOf("repaired");
        var repair = await CliRunner.RunAsync("repair", runner.Store, "--to", target, "--json");
        Assert.Equal(0, repair.Code);
        Assert.Equal(1, JsonDocument.Parse(repair.Output).RootElement.GetProperty("losses").GetArrayLength());
        Assert.Equal(skipping.Output, (await CliRunner.RunAsync("export", target)).Output);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(log, CancellationToken.None));
    }

    [Fact]
    public async Task A_repair_tells_what_it_lost_what_it_left_out_and_what_it_assumed()
    {
        using var runner = await FilledAsync();
        await File.AppendAllTextAsync(Log(runner), "{\"ts\":\"2026", CancellationToken.None);
        File.Delete(Path.Combine(runner.Store, "manifest.json"));
        var text = await CliRunner.RunAsync("repair", runner.Store, "--to", runner.PathOf("text"));
        Assert.Equal(0, text.Code);
        Assert.Contains(text.Lines, l => l.StartsWith("loss\tmanifest.json", StringComparison.Ordinal));
        Assert.Contains(text.Lines, l => l.StartsWith("note\tops/", StringComparison.Ordinal) && l.Contains(":21:", StringComparison.Ordinal));
        Assert.Contains(text.Lines, l => l.StartsWith("assumed\tThe state was rebuilt from ", StringComparison.Ordinal));
        var report = JsonDocument.Parse((await CliRunner.RunAsync("repair", runner.Store, "--to", runner.PathOf("json"), "--json")).Output).RootElement;
        Assert.Equal("tornTail", report.GetProperty("notes")[0].GetProperty("kind").GetString());
        Assert.StartsWith("The state was rebuilt from ", report.GetProperty("assumptions")[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_history_index_is_told_and_the_log_is_shown_all_the_same()
    {
        using var runner = await FilledAsync();
        Assert.Equal(0, (await CliRunner.RunAsync("compact", runner.Store)).Code);
        var index = Assert.Single(Directory.GetFiles(Path.Combine(runner.Store, "ops"), "history-*"));
        var bytes = await File.ReadAllBytesAsync(index, CancellationToken.None);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(index, bytes, CancellationToken.None);
        var place = $"ops/{Path.GetFileName(index)}:1:0: ";

        foreach (var verb in (string[][])[["log"], ["log", "--recovery", "skip-corrupt"], ["tail", "-n", "50"]])
        {
            var log = await CliRunner.RunAsync([verb[0], runner.Store, .. verb[1..]]);
            Assert.Equal((0, 20), (log.Code, log.Lines.Length));
            Assert.StartsWith("opslog: skipped: " + place, log.Error, StringComparison.Ordinal);
        }

        Assert.Equal(4, (await CliRunner.RunAsync("log", runner.Store, "--recovery", "strict")).Code);
        var verify = await CliRunner.RunAsync("verify", runner.Store);
        Assert.Equal(4, verify.Code);
        Assert.Contains(place, verify.Output, StringComparison.Ordinal);
        Assert.Contains("loss\t" + place, (await CliRunner.RunAsync("repair", runner.Store, "--to", runner.PathOf("repaired"))).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await CliRunner.RunAsync("compact", runner.Store)).Code);
        Assert.Equal(0, (await CliRunner.RunAsync("verify", runner.Store)).Code);
        Assert.Equal(20, (await CliRunner.RunAsync("log", runner.Store)).Lines.Length);
    }

    [Fact]
    public async Task Log_lines_without_a_manifest_are_damage_and_not_an_empty_store()
    {
        using var runner = await FilledAsync();
        File.Delete(Path.Combine(runner.Store, "manifest.json"));
        Assert.Equal(4, (await CliRunner.RunAsync("export", runner.Store)).Code);
    }

    private static async Task<CliRunner> FilledAsync()
    {
        var runner = new CliRunner();
        var lines = Enumerable.Range(1, 20).Select(n => $$$"""{"id":"k{{{n}}}","data":{"n":{{{n}}}}}""").ToArray();
        Assert.Equal(0, (await runner.ApplyAsync(lines)).Code);
        return runner;
    }

    private static string Log(CliRunner runner) => Assert.Single(Directory.GetFiles(Path.Combine(runner.Store, "ops"), "ops-*.jsonl"));
}
