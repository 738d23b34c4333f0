using CsCheck;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>The manifest: ours and the package's, what the package does to ours, and damage.</summary>
public class ManifestCodecTests
{
    private const string Peer = """
        {
          "version": 1,
          "currentSnapshot": "snapshots/snap-1795394388742.jsonl",
          "activeOps": "ops/agent-10-1795394388746.jsonl",
          "archiveSegments": ["archive/archive-2024-Q3.json"],
          "stats": {
            "activeRecords": 3,
            "archivedRecords": 2,
            "opsCount": 1,
            "created": "2026-11-23T00:39:48.746Z",
            "lastCheckpoint": "2026-11-23T00:39:48.747Z"
          },
          "activeAgentOps": {
            "9": "ops/agent-9-1795394388755.jsonl",
            "10": "ops/agent-10-1795394388746.jsonl"
          }
        }
        """;

    private static readonly Manifest Sample = new()
    {
        Package = new PackageMembers
        {
            Version = 2,
            CurrentSnapshot = "snapshots/snap-r000000000007-0123abcd.jsonl",
            ActiveOps = "ops/ops-r000000000005-0123abcd.jsonl",
            ArchiveSegments = ["archive/archive-2026-Q4.json"],
            Stats = new PackageStats(3, 2, 1, "2026-11-23T00:39:48.746Z", "2026-11-23T00:39:48.747Z"),
            ActiveAgentOps = [new AgentOps("10", "ops/agent-10-r000000000003-0123abcd.jsonl"), new AgentOps("9\ud800", "ops/agent-9-r000000000004-0123abcd.jsonl")],
        },
        Revision = 7,
        Incarnation = "0123456789abcdef0123456789abcdef",
        Numbered = true,
        Snapshot = new SnapshotEntry("snapshots/snap-r000000000007-0123abcd.jsonl", 300, 0x0000abcd, 3, 12, 4),
        Logs = [new LogEntry("ops/ops-r000000000005-0123abcd.jsonl", "", 4, 2, 240, 12, false), new LogEntry("ops/agent-10-r000000000003-0123abcd.jsonl", "10", 0, 1, 0, 0, true)],
        Retired = [new RetiredLog("ops/ops-r000000000001-0123abcd.jsonl", "é", 900, 1, 3)],
        Reserved = ["snapshots/snap-r000000000008-0123abcd.jsonl"],
        History = new HistoryReference("ops/history-r000000000007-0123abcd.json", 512),
        Archives = [new ArchiveEntry("2026-Q4", [new ArchiveObject("archive/archive-2026-Q4.json", 2)]), new ArchiveEntry("10", [])],
        Exclusive = "ops/ops-r000000000005-0123abcd.jsonl",
        Garbage = [new GarbageEntry("ops/ops-r000000000001-0123abcd.jsonl", 900, new DateTimeOffset(2026, 11, 23, 6, 0, 0, 1, TimeSpan.Zero))],
        Adopted = true,
    };

    private static readonly Manifest Small = new()
    {
        Package = new PackageMembers { Version = 1, CurrentSnapshot = "s", ActiveOps = "o", Stats = new PackageStats(0, 0, 0, "a", "b") },
        Revision = 1,
        Incarnation = "0123456789abcdef0123456789abcdef",
        Snapshot = new SnapshotEntry("s", 1, 2, 0, 0, 0),
    };

    private static ManifestReadResult Read(string text) => ManifestCodec.Read(Samples.Utf8(text));

    private static string Write(Manifest manifest) => Samples.ToText(ManifestCodec.Write(manifest));

    private static void AssertSame(Manifest expected, Manifest? actual)
    {
        // Records compare their lists by reference: compare what they are written as.
        Assert.NotNull(actual);
        Assert.Equal(Write(expected), Write(actual));
    }

    [Fact]
    public void A_manifest_is_written_to_the_letter()
    {
        Assert.Equal(
            """
            {
              "version": 1,
              "currentSnapshot": "s",
              "activeOps": "o",
              "archiveSegments": [],
              "stats": {
                "activeRecords": 0,
                "archivedRecords": 0,
                "opsCount": 0,
                "created": "a",
                "lastCheckpoint": "b"
              },
              "opslog": {
                "format": 1,
                "reader": 1,
                "revision": 1,
                "incarnation": "0123456789abcdef0123456789abcdef",
                "numbered": false,
                "snapshot": {
                  "name": "s",
                  "length": 1,
                  "crc": "00000002",
                  "count": 0,
                  "clock": 0,
                  "floor": 0
                },
                "logs": [],
                "retired": [],
                "reserved": [],
                "history": null,
                "archives": [],
                "exclusive": null,
                "garbage": [],
                "adopted": false,
                "echo": {
                  "version": 1,
                  "currentSnapshot": "s",
                  "activeOps": "o",
                  "archiveSegments": [],
                  "stats": {
                    "activeRecords": 0,
                    "archivedRecords": 0,
                    "opsCount": 0,
                    "created": "a",
                    "lastCheckpoint": "b"
                  }
                },
                "crc": "ef0bce10"
              }
            }
            """,
            Write(Small));
    }

    [Fact]
    public void A_manifest_comes_back_as_it_was_written()
    {
        foreach (var manifest in new[] { Sample, Small, Small with { Package = Small.Package with { ActiveAgentOps = [] } } })
        {
            var result = ManifestCodec.Read(ManifestCodec.Write(manifest));
            Assert.Equal((ManifestVerdict.Ours, ""), (result.Verdict, result.Fault));
            AssertSame(manifest, result.Manifest);
            Assert.Empty(result.Changed);
        }

        var read = ManifestCodec.Read(ManifestCodec.Write(Sample)).Manifest!;
        Assert.Equal(Sample.Logs, read.Logs);
        Assert.Equal(Sample.Garbage, read.Garbage);
        Assert.Equal(Sample.Snapshot, read.Snapshot);
        Assert.Equal(Sample.Package.ActiveAgentOps, read.Package.ActiveAgentOps);
    }

    [Fact]
    public void Texts_of_any_kind_come_back()
        => Gen.Select(Samples.AnyText, Samples.AnyText, Gen.Long[0, Stamp.MaxClock]).Sample((agent, period, number) =>
        {
            var manifest = Sample with
            {
                Package = Sample.Package with { ActiveAgentOps = [new AgentOps(agent, "l")], ArchiveSegments = ["x" + period] },
                Logs = [new LogEntry("ops/x", agent, number, 1, number, number, false)],
                Archives = [new ArchiveEntry(period, [new ArchiveObject("a", number)])],
            };
            var result = ManifestCodec.Read(ManifestCodec.Write(manifest));
            Assert.Equal((ManifestVerdict.Ours, ""), (result.Verdict, result.Fault));
            AssertSame(manifest, result.Manifest);
        });

    [Fact]
    public void The_packages_manifest_is_read()
    {
        var result = Read(Peer);
        Assert.Equal(ManifestVerdict.Peer, result.Verdict);
        var package = result.Package!;
        Assert.Equal((1, "snapshots/snap-1795394388742.jsonl", "ops/agent-10-1795394388746.jsonl"), (package.Version, package.CurrentSnapshot, package.ActiveOps));
        Assert.Equal(["archive/archive-2024-Q3.json"], package.ArchiveSegments);
        Assert.Equal(new PackageStats(3, 2, 1, "2026-11-23T00:39:48.746Z", "2026-11-23T00:39:48.747Z"), package.Stats);
        Assert.Equal([new AgentOps("9", "ops/agent-9-1795394388755.jsonl"), new AgentOps("10", "ops/agent-10-1795394388746.jsonl")], package.ActiveAgentOps!);
        Assert.Null(result.Manifest);
    }

    [Fact]
    public void Order_unknown_members_and_whitespace_do_not_matter()
    {
        var result = Read("""{"x":{"opslog":1},"stats":{"lastCheckpoint":"b","created":"a","opsCount":1e0,"archivedRecords":0,"activeRecords":2.0,"y":[]},"archiveSegments":[],"activeOps":"o","currentSnapshot":"s","version":1,"version":3}""");
        Assert.Equal((ManifestVerdict.Peer, 3, 2L), (result.Verdict, result.Package!.Version, result.Package.Stats.ActiveRecords));
        Assert.Null(result.Package.ActiveAgentOps);
    }

    [Fact]
    public void A_rewrite_in_another_shape_keeps_it_ours()
    {
        var spread = Samples.Utf8(Samples.Spread(Write(Sample)));
        Assert.Equal(ManifestVerdict.Ours, ManifestCodec.Read(spread).Verdict);
        var length = JsonLines.Minify(spread, spread);
        Assert.Equal(ManifestVerdict.Ours, ManifestCodec.Read(spread.AsSpan(0, length)).Verdict);

        // JavaScript puts names that look like integers first: the agents of the package's part change places.
        var reordered = Write(Sample).Replace("\"10\": \"ops/agent-10-r000000000003-0123abcd.jsonl\",", "", StringComparison.Ordinal)
            .Replace("\"9\\ud800\": \"ops/agent-9-r000000000004-0123abcd.jsonl\"", "\"9\\ud800\": \"ops/agent-9-r000000000004-0123abcd.jsonl\", \"10\": \"ops/agent-10-r000000000003-0123abcd.jsonl\"", StringComparison.Ordinal);
        Assert.Equal(ManifestVerdict.Ours, Read(reordered).Verdict);
    }

    [Theory]
    [InlineData("\"activeRecords\": 3,", "\"activeRecords\": 4,", "stats")]
    [InlineData("\"version\": 2,", "\"version\": 3,", "version")]
    [InlineData("\"activeOps\": \"ops/ops-", "\"activeOps\": \"ops/other-", "activeOps")]
    [InlineData("\"currentSnapshot\": \"snapshots/snap-", "\"currentSnapshot\": \"snapshots/other-", "currentSnapshot")]
    [InlineData("\"archive/archive-2026-Q4.json\"", "\"archive/archive-2026-Q3.json\"", "archiveSegments")]
    [InlineData("\"10\": \"ops/agent-", "\"11\": \"ops/agent-", "activeAgentOps")]
    [InlineData("\"activeAgentOps\": {", "\"other\": {", "activeAgentOps")]
    public void What_the_package_changed_since_is_named(string ours, string theirs, string member)
    {
        var text = Write(Sample);
        var at = text.IndexOf(ours, StringComparison.Ordinal);
        var result = Read(text[..at] + theirs + text[(at + ours.Length)..]);
        Assert.Equal(ManifestVerdict.PeerWroteSince, result.Verdict);
        Assert.Equal([member], result.Changed);
        Assert.Equal([member], result.Unexplained); // registering an agent takes none away
        AssertSame(Sample, result.Manifest);
        Assert.NotEmpty(result.Package!.DifferencesFrom(Sample.Package));
    }

    [Fact]
    public void A_line_that_is_no_JSON_is_told_by_its_place()
    {
        var bytes = Samples.Utf8(Write(Small));
        var fourth = 0;
        for (var line = 1; line < 4; line++) fourth = Array.IndexOf(bytes, (byte)'\n', fourth) + 1;
        bytes[fourth + 2] = (byte)'x';
        var result = ManifestCodec.Read(bytes);
        Assert.Equal((ManifestVerdict.Corrupt, 4L, (long)fourth), (result.Verdict, result.FaultLine, result.FaultOffset));
        Assert.Contains("line 4", result.Fault, StringComparison.Ordinal);
        Assert.Equal(0, Read("""{"version":0}""").FaultLine); // a fault of no one line
    }

    [Fact]
    public void An_agent_that_the_package_registered_explains_itself()
    {
        foreach (var manifest in (Manifest[])[Sample, Small])
        {
            var package = manifest.Package with { ActiveAgentOps = [new AgentOps("new", "ops/agent-new-1.jsonl"), .. manifest.Package.ActiveAgentOps ?? []] };
            var result = ManifestCodec.Read(ManifestCodec.Write(manifest, package));
            Assert.Equal(["activeAgentOps"], result.Changed);
            Assert.Empty(result.Unexplained);
        }
    }

    [Fact]
    public void V7_every_flipped_bit_of_our_part_is_seen()
    {
        var bytes = ManifestCodec.Write(Sample);
        var start = Samples.ToText(bytes).IndexOf("\"opslog\"", StringComparison.Ordinal);
        foreach (var (bit, flipped) in Samples.Flips(bytes))
        {
            var result = ManifestCodec.Read(flipped);
            if (bit / 8 >= start) Assert.True(result.Verdict == ManifestVerdict.Corrupt, $"byte {bit / 8}: {result.Verdict}");
            else if (result.Verdict == ManifestVerdict.Ours) Assert.Empty(result.Package!.DifferencesFrom(Sample.Package)); // \ud800 or \uD800
            if (result.Verdict == ManifestVerdict.Corrupt) Assert.NotEmpty(result.Fault);
        }
    }

    [Fact]
    public void V7_a_manifest_cut_anywhere_is_seen()
    {
        foreach (var bytes in new[] { ManifestCodec.Write(Sample), Samples.Utf8(Peer) })
            for (var length = 0; length < bytes.Length; length++)
                Assert.Equal(ManifestVerdict.Corrupt, ManifestCodec.Read(bytes.AsSpan(0, length)).Verdict);
    }

    [Theory]
    [InlineData("\"format\": 1", "\"format\": 2")]
    [InlineData("\"reader\": 1", "\"reader\": 2")]
    public void A_newer_format_is_told_from_damage(string ours, string newer)
    {
        var text = Write(Small);
        Assert.Equal(ManifestVerdict.Corrupt, Read(text.Replace(ours, newer, StringComparison.Ordinal)).Verdict);
        var result = Read(Resealed(text.Replace(ours, newer, StringComparison.Ordinal).Replace("\"garbage\": []", "\"garbage\": {\"new\": 1}", StringComparison.Ordinal)));
        Assert.Equal(ManifestVerdict.TooNew, result.Verdict);
        Assert.Contains("2", result.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Members_of_a_later_version_are_skipped()
    {
        var result = Read(Resealed(Write(Small).Replace("\"garbage\": []", "\"garbage\": [], \"later\": {\"a\": [1]}", StringComparison.Ordinal)));
        Assert.Equal((ManifestVerdict.Ours, ""), (result.Verdict, result.Fault));
    }

    [Theory]
    [InlineData("\"revision\": 1", "\"revision\": 0", "opslog.revision")]
    [InlineData("\"revision\": 1", "\"revision\": 9007199254740992", "opslog.revision")]
    [InlineData("\"incarnation\": \"0", "\"incarnation\": \"g", "opslog.incarnation")]
    [InlineData("\"crc\": \"00000002\"", "\"crc\": \"0000000g\"", "opslog.snapshot.crc")]
    [InlineData("\"logs\": []", "\"logs\": {}", "opslog.logs")]
    [InlineData("\"logs\": []", "\"logs\": [{\"name\":\"../x\"}]", "opslog.logs.name")]
    [InlineData("\"logs\": []", "\"logs\": [{}]", "opslog.logs")]
    [InlineData("\"logs\": []", "\"logx\": []", "opslog")]
    [InlineData("\"history\": null", "\"history\": {\"name\":\"/etc/passwd\",\"bytes\":1}", "opslog.history.name")]
    [InlineData("\"garbage\": []", "\"garbage\": [{\"name\":\"x\",\"bytes\":1,\"since\":\"now\"}]", "opslog.garbage.since")]
    [InlineData("\"adopted\": false", "\"adopted\": 0", "opslog.adopted")]
    [InlineData("\"archives\": []", "\"archives\": [{\"objects\":[]}]", "opslog.archives")]
    public void A_wrong_member_of_ours_is_named(string ours, string wrong, string where)
    {
        var result = Read(Resealed(Write(Small).Replace(ours, wrong, StringComparison.Ordinal)));
        Assert.Equal(ManifestVerdict.Corrupt, result.Verdict);
        Assert.Contains(where, result.Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "JSON")]
    [InlineData("\ufeff{}", "JSON")]
    [InlineData("[]", "not an object")]
    [InlineData("null", "not an object")]
    [InlineData("{}", "version")]
    [InlineData("\"version\": 1", "\"version\": 0", "version")]
    [InlineData("\"version\": 1", "\"version\": 1.5", "version")]
    [InlineData("\"version\": 1", "\"version\": \"1\"", "version")]
    [InlineData("\"version\": 1", "\"version\": 1e400", "version")]
    [InlineData("\"currentSnapshot\": \"snapshots/snap-1795394388742.jsonl\"", "\"currentSnapshot\": \"\"", "currentSnapshot")]
    [InlineData("\"activeOps\": \"ops", "\"activeOpz\": \"ops", "activeOps")]
    [InlineData("[\"archive/archive-2024-Q3.json\"]", "null", "archiveSegments")]
    [InlineData("[\"archive/archive-2024-Q3.json\"]", "[\"\"]", "archiveSegments")]
    [InlineData("\"activeRecords\": 3", "\"activeRecords\": -1", "stats.activeRecords")]
    [InlineData("\"opsCount\": 1", "\"opsCount\": null", "stats.opsCount")]
    [InlineData("\"created\": \"2026-11-23T00:39:48.746Z\"", "\"created\": \"\"", "stats.created")]
    [InlineData("\"stats\": {", "\"stat\": {", "stats")]
    [InlineData("\"9\": \"ops/agent-9-1795394388755.jsonl\"", "\"9\": 5", "activeAgentOps")]
    [InlineData("\"activeAgentOps\": {", "\"activeAgentOps\": [], \"x\": {", "activeAgentOps")]
    [InlineData("\"version\": 1", "\"version\": 1, \"opslog\": null", "opslog")]
    [InlineData("\"version\": 1", "\"version\": 1, \"opslog\": {}", "opslog")]
    [InlineData("\"version\": 1", "\"version\": 1, \"opslog\": {\"format\":1,\"crc\":\"00000000\"}", "opslog")]
    public void A_manifest_that_is_none_is_refused_with_what_and_where(string first, string second, string? third = null)
    {
        var (text, where) = third is null ? (first, second) : (Peer.Replace(first, second, StringComparison.Ordinal), third);
        var result = Read(text);
        Assert.Equal(ManifestVerdict.Corrupt, result.Verdict);
        Assert.Contains(where, result.Fault, StringComparison.Ordinal);
        Assert.Null(result.Package);
    }

    [Fact]
    public void No_bytes_make_the_reader_throw()
        => Gen.Select(Gen.Int[0, 5000], Gen.Byte.Array[0, 20], Gen.Bool).Sample((place, bytes, seal) =>
        {
            var text = ManifestCodec.Write(Sample);
            for (var i = 0; i < bytes.Length; i++) text[(place + i) % text.Length] = bytes[i];
            ManifestCodec.Read(text);
            if (seal && System.Text.Unicode.Utf8.IsValid(text)) Read(Resealed(Samples.ToText(text)));
        }, iter: 1000);

    /// <summary>The text with the last checksum made right.</summary>
    private static string Resealed(string text)
    {
        var start = text.IndexOf("\"opslog\": ", StringComparison.Ordinal) + 10;
        var end = text.LastIndexOf("\"crc\"", StringComparison.Ordinal);
        if (start < 10 || end < start) return text;
        var open = Samples.Utf8(text[start..end].TrimEnd()[..^1]);
        var length = JsonLines.Minify(open, open);
        return text[..end] + $"\"crc\": \"{JsonLines.Hex(JsonLines.Checksum(open.AsSpan(0, length)))}\"}}}}";
    }
}
