using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>The examples of docs/format.md are read by the codecs, and the numbers in its text are worked out again.</summary>
public partial class FormatDocumentTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Root(), "docs", "format.md"));

    [Fact]
    public void Every_line_of_the_logs_is_an_operation()
    {
        var logs = Blocks("jsonl log");
        Assert.Equal(2, logs.Count);
        foreach (var log in logs)
        {
            var offset = 0L;
            foreach (var line in log.TrimEnd('\n').Split('\n'))
            {
                Assert.True(OperationCodec.TryRead(Samples.Utf8(line), offset, offset == 0, out _, out var fault) == LineVerdict.Operation, fault);
                offset += line.Length + 1;
            }
        }
    }

    [Fact]
    public void The_worked_example_of_the_checksum_is_right()
    {
        var line = Samples.Utf8(Blocks("jsonl log")[0].TrimEnd('\n'));
        var covered = line[..^JsonLines.ChecksumTail];
        var text = Regex.Replace(Page, @"\s+", " ");
        Assert.Contains($"Its first {covered.Length} bytes are covered. With 8 zero bytes in front they give `{JsonLines.Hex(JsonLines.Checksum(covered, 0))}`", text, StringComparison.Ordinal);
        Assert.Contains($"`91 00 00 00 00 00 00 00` (offset {0x91}) they would give `{JsonLines.Hex(JsonLines.Checksum(covered, 0x91))}`; unseeded, `{JsonLines.Hex(JsonLines.Checksum(covered))}`", text, StringComparison.Ordinal);
        Assert.Contains($"the bytes `123456789` give `{JsonLines.Hex(JsonLines.Checksum("123456789"u8))}`", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_manifest_names_the_snapshot_and_the_log_of_the_page()
    {
        var result = ManifestCodec.Read(Samples.Utf8(Assert.Single(Blocks("json manifest"))));
        Assert.Equal((ManifestVerdict.Ours, ""), (result.Verdict, result.Fault));
        var snapshot = Samples.Utf8(Assert.Single(Blocks("jsonl snapshot")));
        Assert.Equal((snapshot.Length, JsonLines.Checksum(snapshot)), (result.Manifest!.Snapshot.Length, result.Manifest.Snapshot.Checksum));
        Assert.Equal(Blocks("jsonl log")[1].Length, result.Manifest.Logs[0].Covered);
    }

    /// <summary>Each member of ours is left out in turn.</summary>
    [Fact]
    public void A_manifest_without_a_member_is_damaged_where_the_page_says_that_a_reader_demands_it()
    {
        var sentence = Regex.Match(Page, @"A reader demands (?<members>[^.]*?) and of their parts all but `sealed`");
        var demanded = Regex.Matches(sentence.Groups["members"].Value, "`(?<name>[a-z]+)`").Select(m => m.Groups["name"].Value).ToList();
        Assert.Equal(8, demanded.Count);
        var members = JsonNode.Parse(Assert.Single(Blocks("json manifest")))!["opslog"]!.AsObject().Select(m => m.Key).ToList();
        Assert.True(members.Count > 15);
        foreach (var member in members)
        {
            var manifest = JsonNode.Parse(Blocks("json manifest")[0])!.AsObject();
            var ours = manifest["opslog"]!.AsObject();
            ours.Remove("crc");
            ours.Remove(member);
            var covered = Samples.Utf8(ours.ToJsonString())[..^1];
            if (member != "crc") ours.Add("crc", JsonLines.Hex(JsonLines.Checksum(covered)));
            var verdict = ManifestCodec.Read(Samples.Utf8(manifest.ToJsonString())).Verdict;
            Assert.Equal((member, demanded.Contains(member) ? ManifestVerdict.Corrupt : ManifestVerdict.Ours), (member, verdict));
        }
    }

    [Fact]
    public void The_snapshots_are_read()
    {
        var lines = Assert.Single(Blocks("jsonl snapshot")).TrimEnd('\n').Split('\n');
        Assert.True(SnapshotCodec.TryReadHeader(Samples.Utf8(lines[0]), out var header, out var fault), fault);
        Assert.Equal(lines.Length - 1, header!.Count);
        foreach (var line in lines[1..]) Assert.Equal(LineVerdict.Operation, SnapshotCodec.TryReadRecord(Samples.Utf8(line), true, out _, out _));

        Assert.True(JsonSnapshotReader.TryOpen(Samples.Utf8(Assert.Single(Blocks("json snapshot"))), out var reader, out fault), fault);
        Assert.Equal(1, reader.Header.Count);
    }

    [Fact]
    public void The_archive_and_the_history_index_are_read()
    {
        Assert.True(ArchiveReader.TryOpen(Samples.Utf8(Assert.Single(Blocks("json archive"))), out _, out var fault), fault);
        Assert.True(HistoryIndexCodec.TryRead(Samples.Utf8(Assert.Single(Blocks("jsonl history"))), out var logs, out fault), fault);
        Assert.Equal(Blocks("jsonl log")[1].Length, Assert.Single(logs).Length);
    }

    [Fact]
    public void The_page_is_about_the_version_that_the_code_writes()
        => Assert.Contains($"Format version: **{FormatVersion.Current}**", Page, StringComparison.Ordinal);

    /// <summary>The fenced blocks of a kind, each with its last newline.</summary>
    private static List<string> Blocks(string kind) => [.. Fence().Matches(Page).Where(m => m.Groups[1].Value == kind).Select(m => m.Groups[2].Value)];

    [GeneratedRegex("^```(.+)\n((?:.*\n)*?)```$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Fence();

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "OpsLog.slnx"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }
}
