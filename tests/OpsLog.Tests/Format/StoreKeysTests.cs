using CsCheck;
using OpsLog.Engine;
using OpsLog.Format;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>Names: made and taken apart, safe whatever the data, and in the order of their revisions.</summary>
public class StoreKeysTests
{
    private const string Nonce = "0123abcd";

    [Fact]
    public void Names_are_made_as_the_format_says()
    {
        Assert.Equal("manifest.json", StoreKeys.Manifest.Value);
        Assert.Equal("snapshots/snap-r000000000012-0123abcd.jsonl", StoreKeys.Snapshot(12, Nonce, isJson: false).Value);
        Assert.Equal("snapshots/snap-r000000000012-0123abcd.json", StoreKeys.Snapshot(12, Nonce, isJson: true).Value);
        Assert.Equal("ops/ops-r000000000000-0123abcd.jsonl", StoreKeys.Log("", 0, Nonce).Value);
        Assert.Equal("ops/agent-a%2Fb-r999999999999-0123abcd.jsonl", StoreKeys.Log("a/b", 999_999_999_999, Nonce).Value);
        Assert.Equal("ops/history-r000000000001-0123abcd.json", StoreKeys.History(1, Nonce).Value);
        Assert.Equal("archive/archive-2026-Q4.json", StoreKeys.Archive("2026-Q4").Value);
        Assert.Equal("archive/archive-2026-Q4-r000000000001-0123abcd.json", StoreKeys.ArchiveSegment("2026-Q4", 1, Nonce).Value);
        Assert.Equal("ops/ops-r000000000003-0123abcd-n000000000001.jsonl", StoreKeys.Piece(StoreKeys.Log("", 3, Nonce), 1).Value);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("2026-Q4_x.y", "2026-Q4_x.y")]
    [InlineData(".hidden", "%2Ehidden")]
    [InlineData("..", "%2E.")]
    [InlineData("../../etc", "%2E.%2F..%2Fetc")]
    [InlineData("a b%c~d", "a%20b%25c%7Ed")]
    [InlineData("é日😀", "%C3%A9%E6%97%A5%F0%9F%98%80")]
    [InlineData("nul\0\n", "nul%00%0A")]
    [InlineData("CON", "CON")]
    public void Data_is_encoded(string data, string encoded) => Assert.Equal(encoded, StoreKeys.Encode(data));

    [Fact]
    public void Long_data_is_cut_and_told_apart_by_a_hash()
    {
        var exact = new string('a', 100);
        Assert.Equal(exact, StoreKeys.Encode(exact));
        var left = StoreKeys.Encode(exact + "b");
        Assert.Matches("^a{60}~[0-9a-f]{16}$", left);
        Assert.NotEqual(left, StoreKeys.Encode(exact + "c"));
    }

    [Fact]
    public void Every_name_is_a_valid_key_and_comes_apart_as_it_was_made()
        => Gen.Select(Samples.AnyText.Where(t => t.Length > 0), Gen.Long[0, 999_999_999_999], Gen.Int, Gen.Long[1, 999_999_999_999]).Sample((data, revision, seed, number) =>
        {
            var nonce = new NonceSource(new Random(seed)).Next();
            AssertParts(StoreKeys.Snapshot(revision, nonce, seed % 2 == 0), StoredKind.Snapshot, revision, nonce, "");
            AssertParts(StoreKeys.Log("", revision, nonce), StoredKind.Log, revision, nonce, "");
            AssertParts(StoreKeys.Log(data, revision, nonce), StoredKind.AgentLog, revision, nonce, StoreKeys.Encode(data));
            AssertParts(StoreKeys.History(revision, nonce), StoredKind.History, revision, nonce, "");
            AssertParts(StoreKeys.ArchiveSegment(data, revision, nonce), StoredKind.ArchiveSegment, revision, nonce, StoreKeys.Encode(data));
            foreach (var log in new[] { StoreKeys.Log("", revision, nonce), StoreKeys.Log(data, revision, nonce) })
            {
                var piece = AssertParts(StoreKeys.Piece(log, number), StoredKind.Piece, revision, nonce, log.Value.StartsWith("ops/ops", StringComparison.Ordinal) ? "" : StoreKeys.Encode(data));
                Assert.Equal((number, log), (piece.Number, piece.LogKey));
                Assert.True(StoreKeys.TryParse(log, out var whole) && whole.LogKey == log);
            }

            Assert.True(StoreKeys.TryParse(StoreKeys.Archive(data), out var archive));
            Assert.Equal((StoredKind.Archive, false), (archive.Kind, archive.IsOurs));
        });

    [Fact]
    public void Names_are_in_the_order_of_their_revisions()
        => Gen.Select(Gen.Long[0, 999_999_999_999], Gen.Long[0, 999_999_999_999], Gen.Int).Sample((a, b, seed) =>
        {
            if (a == b) return;
            var random = new NonceSource(new Random(seed));
            var order = StoreKeys.Snapshot(a, random.Next(), false).CompareTo(StoreKeys.Snapshot(b, random.Next(), false));
            Assert.Equal(a.CompareTo(b), Math.Sign(order));
        });

    [Theory]
    [InlineData("x-r000000000001-0123abcd")]
    [InlineData("2026-r999999999999-ffffffff")]
    [InlineData("r000000000001-0123abcd")]
    [InlineData("-r000000000001-0123abcd")]
    public void A_period_that_looks_like_a_segments_name_is_no_segment(string period)
    {
        Assert.True(StoreKeys.TryParse(StoreKeys.Archive(period), out var name));
        Assert.Equal(StoredKind.Archive, name.Kind);
        Assert.False(name.IsOurs);
    }

    [Fact]
    public void An_agent_that_looks_like_a_log_or_piece_is_told_apart()
    {
        const string Agent = "x-r000000000001-0123abcd-n000000000001";
        Assert.True(StoreKeys.TryParse(StoreKeys.Log(Agent, 5, Nonce), out var name));
        Assert.Equal((StoredKind.AgentLog, 5L, Agent), (name.Kind, name.Revision, name.Data));
    }

    [Theory]
    [InlineData("snapshots/snap-1795394371110.jsonl", "Snapshot")]
    [InlineData("snapshots/snap-1795394371110.json", "Snapshot")]
    [InlineData("ops/ops-1795394371136.jsonl", "Log")]
    [InlineData("ops/agent-alpha-1795394387710.jsonl", "AgentLog")]
    [InlineData("archive/archive-2026-Q4.json", "Archive")]
    [InlineData("archive/archive-2024-Q1-extra.json", "Archive")]
    [InlineData("manifest.json", "Manifest")]
    [InlineData("ops/ops-r00000000001-0123abcd.jsonl", "Log")] // eleven digits
    [InlineData("ops/ops-r000000000001-0123ABCD.jsonl", "Log")]
    [InlineData("ops/ops-r+00000000001-0123abcd.jsonl", "Log")]
    [InlineData("ops/ops-x-r000000000001-0123abcd.jsonl", "Log")]
    [InlineData("ops/agent-r000000000001-0123abcd.jsonl", "AgentLog")]
    [InlineData("ops/ops-r000000000001-0123abcd-n000000000000.jsonl", "Log")]
    [InlineData("ops/ops-1795394371136-n000000000001.jsonl", "Log")]
    public void Names_of_the_package_are_known_and_never_ours(string text, string kind)
    {
        Assert.True(StoreKeys.TryParse(new StorageKey(text), out var name));
        Assert.Equal((kind, false, -1L), (name.Kind.ToString(), name.IsOurs, name.Revision));
        Assert.False(StoreKeys.IsOurs(new StorageKey(text)));
        Assert.Equal(0, StoreKeys.RevisionOf(new StorageKey(text)));
    }

    [Theory]
    [InlineData("snapshots/snap-1.json.tmp")]
    [InlineData("snapshots/snap-.json")]
    [InlineData("ops/other.jsonl")]
    [InlineData("ops/ops-x/y.jsonl")]
    [InlineData("ops/history-1.json")]
    [InlineData("snap-r000000000001-0123abcd.jsonl")]
    [InlineData("other/manifest.json")]
    public void Other_names_are_nobodys(string text)
    {
        Assert.False(StoreKeys.TryParse(new StorageKey(text), out _));
        Assert.False(StoreKeys.IsOurs(new StorageKey(text)));
    }

    [Fact]
    public void A_log_is_recognised()
    {
        var log = StoreKeys.Log("", 3, Nonce);
        Assert.True(StoreKeys.IsLog(log));
        Assert.True(StoreKeys.IsLog(new StorageKey("ops/ops-1795394371136.jsonl")));
        Assert.False(StoreKeys.IsLog(StoreKeys.Piece(log, 1)));
        Assert.True(StoreKeys.IsLog(StoreKeys.Log("a", 3, Nonce)));
        Assert.Equal(3, StoreKeys.RevisionOf(StoreKeys.Piece(log, 1)));
    }

    [Theory]
    [InlineData("archive/archive-2024 Q1 ü.json", "2024 Q1 ü")]
    [InlineData("archive/archive-.json", null)]
    [InlineData("archive/archive-../x.json", null)]
    [InlineData("ops/ops-1.jsonl", null)]
    public void The_packages_periods_stand_in_its_names(string name, string? period)
    {
        Assert.Equal(period is not null, StoreKeys.TryPackagePeriod(name, out var found));
        Assert.Equal(period, found);
    }

    [Fact]
    public void What_cannot_be_named_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => StoreKeys.Snapshot(-1, Nonce, false));
        Assert.Throws<ArgumentOutOfRangeException>(() => StoreKeys.Snapshot(1_000_000_000_000, Nonce, false));
        Assert.Throws<ArgumentException>(() => StoreKeys.Snapshot(1, "../../..", false));
        Assert.Throws<ArgumentOutOfRangeException>(() => StoreKeys.Piece(StoreKeys.Log("", 1, Nonce), 0));
        Assert.Throws<ArgumentException>(() => StoreKeys.Piece(StoreKeys.Manifest, 1));
        Assert.Matches("^[0-9a-f]{32}$", new NonceSource(new Random(1)).NextIncarnation());
    }

    private static StoredName AssertParts(StorageKey key, StoredKind kind, long revision, string nonce, string data)
    {
        Assert.True(StorageKey.IsValid(key.Value));
        Assert.True(StoreKeys.TryParse(key, out var name), key.Value);
        Assert.Equal((kind, revision, nonce, data, true, key), (name.Kind, name.Revision, name.Nonce, name.Data, name.IsOurs, name.Key));
        return name;
    }
}
