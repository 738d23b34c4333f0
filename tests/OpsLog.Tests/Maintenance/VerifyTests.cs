using System.Text;
using System.Text.Json;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Maintenance;

/// <summary>
/// Goal: verify finds whatever is not what was written, names it, and takes nothing else for damage (V7, V12, F6-F8, F14, F15, F17).
/// Method: a small store with every kind of object, each byte of it changed in turn; lines forged with checksums that hold.
/// </summary>
public sealed class VerifyTests
{
    [Theory]
    [InlineData(true, SnapshotFormat.JsonLines)]
    [InlineData(true, SnapshotFormat.Json)]
    [InlineData(false, SnapshotFormat.JsonLines)]
    public async Task F6_F8_every_changed_byte_is_found_and_its_object_named(bool append, SnapshotFormat format)
    {
        var rig = await SampleStore.MakeAsync(append, format: format);
        Assert.Empty((await OpsStore.VerifyAsync(rig)).Damages);
        var log = (await SampleStore.LogAsync(rig)).Value;
        var unused = await UnusedAsync(rig);
        foreach (var (name, bytes) in await SampleStore.ObjectsAsync(rig))
        {
            if (name == "manifest.json" || unused.Contains(name)) continue;
            for (var i = 0; i < Lengths.WithoutSeal(bytes); i++)
            {
                bytes[i] ^= (byte)(1 << (i % 8));
                await rig.WriteAsync(new StorageKey(name), bytes);
                var report = await OpsStore.VerifyAsync(rig);
                var isLastNewline = name == log && i == bytes.Length - 1; // as good as torn
                Assert.True(isLastNewline ? report.IsSound && report.Notes.Count == 1 : report.Damages.Any(d => d.File == name), $"byte {i} of {name}: {string.Join("; ", report.Damages)}");
                bytes[i] ^= (byte)(1 << (i % 8));
            }

            await rig.WriteAsync(new StorageKey(name), bytes);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F8_every_flipped_bit_of_the_manifest_is_found(bool adopted)
    {
        var rig = await SampleStore.MakeAsync();
        // An agent that the package registered over our manifest is no damage; a bit of its name may flip unseen, our own part's never.
        var manifest = await rig.BytesAsync(SampleStore.ManifestKey);
        if (adopted) manifest = ManifestCodec.Write(ManifestCodec.Read(manifest).Manifest!, ManifestCodec.Read(manifest).Package! with { ActiveAgentOps = [new AgentOps("x", "ops/agent-x-1.jsonl")] });
        await rig.WriteAsync(new StorageKey("ops/agent-x-1.jsonl"), []);
        await rig.WriteAsync(SampleStore.ManifestKey, manifest);
        Assert.Empty((await OpsStore.VerifyAsync(rig)).Damages);
        var agents = adopted ? Encoding.UTF8.GetString(manifest).IndexOf("\"activeAgentOps\"", StringComparison.Ordinal) : manifest.Length;
        for (var bit = 0; bit < manifest.Length * 8; bit++)
        {
            if (bit / 8 >= agents && bit / 8 < agents + 65) continue;
            manifest[bit / 8] ^= (byte)(1 << (bit % 8));
            await rig.WriteAsync(SampleStore.ManifestKey, manifest);
            var report = await OpsStore.VerifyAsync(rig);
            Assert.True(report.Damages.Any(d => d.File == "manifest.json"), $"bit {bit % 8} of byte {bit / 8}: {string.Join("; ", report.Damages)}");
            manifest[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F14_F15_every_object_that_is_missing_or_cut_is_found(bool append)
    {
        var rig = await SampleStore.MakeAsync(append);
        var log = (await SampleStore.LogAsync(rig)).Value;
        var unused = await UnusedAsync(rig);
        foreach (var (name, bytes) in await SampleStore.ObjectsAsync(rig))
        {
            if (unused.Contains(name) || bytes.Length == 0) continue;
            var lines = SampleStore.Lines(bytes[..Lengths.WithoutSeal(bytes)]);
            if (name != log && name != "manifest.json" && lines.Count > 1)
            {
                await rig.WriteAsync(new StorageKey(name), bytes[..lines[^1].Start]); // at the end of a line
                Assert.Contains((await OpsStore.VerifyAsync(rig)).Damages, d => d.File == name || name.StartsWith(d.File[..^6], StringComparison.Ordinal));
            }

            await rig.DeleteAsync(new StorageKey(name), default);
            var isEndOfNumberedLog = !append && name.StartsWith(log[..^6], StringComparison.Ordinal); // nothing names the number of its pieces
            if (!isEndOfNumberedLog) Assert.False((await OpsStore.VerifyAsync(rig)).IsSound, $"without {name}");
            await rig.WriteAsync(new StorageKey(name), bytes);
        }

        Assert.True((await OpsStore.VerifyAsync(rig)).IsSound);
    }

    [Fact]
    public async Task All_damage_is_reported_with_file_line_and_offset_not_just_the_first()
    {
        var rig = await SampleStore.MakeAsync();
        var (log, snapshot) = (await SampleStore.LogAsync(rig), await SampleStore.SnapshotAsync(rig));
        var archive = new StorageKey("archive/archive-2026-Q1.json");
        var lines = SampleStore.Lines(await rig.BytesAsync(log));
        await SampleStore.DamageAsync(rig, log, 1);
        await SampleStore.DamageAsync(rig, log, 5);
        await SampleStore.DamageAsync(rig, snapshot, 1);
        await SampleStore.DamageAsync(rig, snapshot, 3);
        await rig.DeleteAsync(archive, default);
        var report = await OpsStore.VerifyAsync(rig);
        Assert.Equal(
            [(archive.Value, 0, 0), (log.Value, 1, 0), (log.Value, 5, lines[4].Start), (snapshot.Value, 1, 0), (snapshot.Value, 3, SampleStore.Lines(await rig.BytesAsync(snapshot))[2].Start)],
            report.Damages.Select(d => (d.File, d.Line, d.Offset)).Order());
    }

    [Fact]
    public async Task A_sound_store_is_counted()
    {
        var rig = await SampleStore.MakeAsync();
        var unused = await UnusedAsync(rig);
        var report = await OpsStore.VerifyAsync(rig);
        var read = (await SampleStore.ObjectsAsync(rig)).Where(o => !unused.Contains(o.Key)).ToList();
        Assert.Equal((read.Count, read.Sum(o => (long)Lengths.WithoutSeal(o.Value))), (report.Objects, report.Bytes));
        Assert.Equal(6, report.Records);
        Assert.Equal(7 + 3 + 7, report.Operations);
    }

    [Theory]
    [InlineData("prev")]
    [InlineData("patch")]
    [InlineData("none")]
    [InlineData("clock")]
    [InlineData("huge")]
    public async Task A_line_whose_checksum_holds_but_that_does_not_fit_is_damage(string forgery)
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig))
        {
            await store.SetAsync("a", SampleStore.Json("""{"n":1}"""));
            await store.SetAsync("a", SampleStore.Json("""{"other":"1234567890123456789012345678901234567890"}"""));
            await store.SetAsync("a", SampleStore.Json("""{"other":"1234567890123456789012345678901234567890","n":1}"""));
        }

        var log = await SampleStore.LogAsync(rig);
        var bytes = await rig.BytesAsync(log);
        var (line, from, to) = forgery switch
        {
            "prev" => (2, "\"prev\":{\"n\":1}", "\"prev\":{\"n\":7}"),
            "patch" => (3, "\"$unset\":[\"n\"]", "\"$unset\":[\"x\"]"),
            "none" => (2, "\"prev\":{\"n\":1}", "\"prev\":null   "),
            "clock" => (3, "\"clock\":3", "\"clock\":2"),
            _ => (3, "\"clock\":3", "\"clock\":9007199254740992"),
        };
        var (start, length) = SampleStore.Lines(bytes)[line - 1];
        var text = Encoding.UTF8.GetString(bytes, start, length);
        Assert.Contains(from, text, StringComparison.Ordinal);
        var forged = Encoding.UTF8.GetBytes(text.Replace(from, to.Replace("null   ", "null", StringComparison.Ordinal), StringComparison.Ordinal));
        JsonLines.Reseal(forged, start);
        await rig.WriteAsync(log, [.. bytes[..start], .. forged, (byte)'\n', .. line == 3 ? [] : Resealed(bytes[(start + length + 1)..], start + forged.Length + 1)]);
        var damage = Assert.Single((await OpsStore.VerifyAsync(rig)).Damages);
        Assert.Equal((log.Value, line, start), (damage.File, damage.Line, damage.Offset));
    }

    [Fact]
    public async Task A_lost_line_is_one_damage_and_not_one_for_every_line_that_built_on_it()
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig))
        {
            for (var i = 0; i < 10; i++) await store.SetAsync($"k{i % 2}", SampleStore.Json($$"""{"n":{{i}}}"""));
            await store.DeleteAsync("k0");
            await store.SetAsync("k0", SampleStore.Json("{}"));
        }

        var log = await SampleStore.LogAsync(rig);
        for (var line = 1; line <= 12; line++)
        {
            await SampleStore.DamageAsync(rig, log, line);
            Assert.Equal(line, Assert.Single((await OpsStore.VerifyAsync(rig)).Damages).Line);
            await SampleStore.DamageAsync(rig, log, line);
        }
    }

    [Fact]
    public async Task Verify_makes_no_call_that_writes()
    {
        var rig = await SampleStore.MakeAsync();
        var before = await SampleStore.ObjectsAsync(rig);
        var watched = new FaultyStorage(rig);
        await OpsStore.VerifyAsync(watched);
        Assert.Equal(0, watched.CountOf(StorageCalls.Writes));
        await SampleStore.AssertSameObjectsAsync(before, rig);
    }

    [Fact]
    public async Task Nothing_there_is_not_found_and_lines_without_a_manifest_are_damage()
    {
        var empty = new MemoryStorage();
        Assert.Equal(OpsLogError.NotFound, (await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore.VerifyAsync(empty))).Error);
        var rig = await SampleStore.MakeAsync();
        await rig.DeleteAsync(SampleStore.ManifestKey, default);
        Assert.Equal((DamageKind.Missing, "manifest.json"), Assert.Single((await OpsStore.VerifyAsync(rig)).Damages) is var d ? (d.Kind, d.File) : default);
    }

    [Fact]
    public async Task A_living_writer_that_checkpoints_is_never_taken_for_damage()
    {
        var storage = new MemoryStorage();
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, Runs.Options(change: o => o.HistoryRetention = HistoryRetention.None));
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await store.SetAsync($"k{i % 50}", SampleStore.Json($$"""{"n":{{i}}}"""));
                if (i % 20 == 0) await store.CompactAsync();
                if (i % 90 == 0) await store.ArchiveAsync([$"k{i % 50}"], "p");
            }
        });
        for (var i = 0; i < 60; i++)
        {
            try
            {
                var report = await OpsStore.VerifyAsync(storage);
                Assert.True(report.IsSound, string.Join('\n', report.Damages));
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.Conflict)
            {
                // It says so itself: too many checkpoints in a row.
            }
        }

        await stop.CancelAsync();
        await writing;
    }

    [Fact]
    public async Task Progress_is_told_by_stage_up_to_the_total_and_verifying_can_be_cancelled()
    {
        var rig = await SampleStore.MakeAsync();
        var told = new Told();
        await OpsStore.VerifyAsync(rig, told);
        Assert.Equal(["snapshot", "log", "history", "archives"], told.Reports.Select(r => r.Stage).Distinct());
        foreach (var stage in told.Reports.GroupBy(r => r.Stage)) Assert.Equal(stage.Last().Total, stage.Last().Done);
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await OpsStore.VerifyAsync(rig, new Told { On = _ => stop.Cancel() }, stop.Token));
    }

    [Fact]
    public async Task F12_a_storage_that_cannot_be_read_is_an_error_and_no_damage()
    {
        var rig = await SampleStore.MakeAsync();
        var counter = new FaultyStorage(rig);
        await OpsStore.VerifyAsync(counter);
        for (var n = 1; n <= counter.CountOf(); n++)
        {
            var faulty = new FaultyStorage(rig);
            faulty.Inject(InjectedFault.AtCall(n));
            Assert.Equal(OpsLogError.StorageFailed, (await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore.VerifyAsync(faulty))).Error);
        }
    }

    // What no manifest leads to: snapshots and logs that were superseded and wait to be collected, and the seals of numbered logs.
    private static async Task<HashSet<string>> UnusedAsync(StorageRig rig)
    {
        var watched = new Reads(rig);
        await OpsStore.VerifyAsync(watched);
        return [.. (await rig.LengthsAsync()).Keys.Where(k => !watched.Keys.Contains(k))];
    }

    private static byte[] Resealed(byte[] lines, int offset)
    {
        foreach (var (start, length) in SampleStore.Lines(lines)) JsonLines.Reseal(lines.AsSpan(start, length), offset + start);
        return lines;
    }

    private static class Lengths
    {
        /// <summary>Behind a retired log stands an empty line that keeps other writers out: it is no part of what was kept.</summary>
        public static int WithoutSeal(byte[] bytes) => bytes.AsSpan().EndsWith("\n\n"u8) ? bytes.Length - 1 : bytes.Length;
    }

    private sealed class Reads(IOpsStorage inner) : IOpsStorage
    {
        public HashSet<string> Keys { get; } = new(StringComparer.Ordinal);

        public StorageCapabilities Capabilities => inner.Capabilities;

        public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
        {
            Keys.Add(key.Value);
            return await inner.ReadAsync(key, range, cancellationToken);
        }

        public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) => throw new NotSupportedException();

        public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => inner.ListAsync(prefix, after, cancellationToken);

        public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
