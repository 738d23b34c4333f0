using System.Text;
using System.Text.Json;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Corpus;

/// <summary>
/// Goal: every single-writer store that the npm package wrote opens to what it holds, or is refused by naming the very line that is damaged.
/// Method: all stores of the corpus, each as data; refusals are judged by an independent reading of the named line.
/// </summary>
public sealed class CorpusTests
{
    public static TheoryData<string> SingleWriter => [.. CorpusStore.All.Where(s => !s.IsMultiWriter && s.Opens).Select(s => s.Name)];

    public static TheoryData<string> Refused => [.. CorpusStore.All.Where(s => !s.Opens).Select(s => s.Name)];

    public static TheoryData<string> NewerThanTheCode => [.. CorpusStore.All.Where(s => (string)s.Expected["scenario"]! == "newer-store").Select(s => s.Name)];

    [Fact]
    public void The_corpus_is_complete()
    {
        Assert.Equal(197, CorpusStore.All.Count());
        foreach (var store in CorpusStore.All)
        {
            foreach (var file in JsonTree.Array(store.Expected["files"]).Select(JsonTree.Object))
                Assert.Equal((double)file["bytes"]!, store.Files[(string)file["path"]!].Length);
        }
    }

    [Fact]
    public void The_judge_of_lines_refuses_no_more_than_the_package_skips()
    {
        var total = 0;
        foreach (var store in CorpusStore.All.Where(s => s.Opens))
        {
            var skipped = JsonTree.Array(store.Expected["warnings"]).Select(w => ((string)w!).Split(' '))
                .Where(w => w[1] == "skipped").Sum(w => int.Parse(w[2], System.Globalization.CultureInfo.InvariantCulture));
            var manifest = JsonTree.Object(JsonTree.Parse(store.Files["manifest.json"]));
            var logs = new List<object?> { manifest["activeOps"] };
            if (manifest.TryGetValue("activeAgentOps", out var agents)) logs.AddRange(JsonTree.Object(agents).Values);
            var unsound = logs.Distinct().Select(l => store.Files.GetValueOrDefault((string)l!) ?? [])
                .Sum(log => Encoding.Latin1.GetString(log).Split('\n').Count(line => !PackageLine.IsSound(Encoding.Latin1.GetBytes(line))));
            Assert.True(unsound <= skipped, $"{store.Name}: {unsound} unsound lines, the package skips {skipped}");
            total += unsound;
        }

        Assert.True(total > 30, $"The judge refuses {total} lines of the whole corpus: too few to mean anything.");
    }

    [Theory]
    [MemberData(nameof(SingleWriter))]
    public async Task Opens_to_what_it_holds_or_names_the_damaged_line(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = Copy(corpus);
        if (await OpenOrJudge(corpus, folder.Path, readOnly: true) is not { } store) return;
        await using (store) AssertState(corpus, store);
        AssertUnchanged(corpus, folder);
    }

    [Theory]
    [MemberData(nameof(SingleWriter))]
    public async Task Opens_the_same_from_memory_as_from_a_folder(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = Copy(corpus);
        await using var storage = new MemoryStorage();
        foreach (var (path, bytes) in corpus.Files)
        {
            using var content = new MemoryStream(bytes);
            await storage.PutAsync(new StorageKey(path), content, PutCondition.Always, default);
        }

        var options = corpus.Options(Recovery.SkipCorrupt);
        options.ReadOnly = true;
        await using var fromMemory = await OpsStore<JsonElement>.OpenAsync(storage, options);
        await using var fromFolder = await OpsStore<JsonElement>.OpenAsync(folder.Path, options);
        Assert.Null(JsonTree.Difference(StoreReading.StateOf(fromFolder), StoreReading.StateOf(fromMemory)));
    }

    [Theory]
    [MemberData(nameof(SingleWriter))]
    public async Task Skipping_what_is_corrupt_gives_the_rest_and_reports_it(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = Copy(corpus);
        var isRefused = await OpenOrJudge(corpus, folder.Path, readOnly: true) is var strict && strict is null;
        if (strict is not null) await strict.DisposeAsync();

        var options = corpus.Options(Recovery.SkipCorrupt);
        options.ReadOnly = true;
        await using var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, options);
        AssertState(corpus, store);
        Assert.Equal(isRefused, store.RecoveryReport.Skipped.Count > 0);
        foreach (var damage in store.RecoveryReport.Skipped) AssertDeserved(corpus, damage);
        AssertUnchanged(corpus, folder);
    }

    [Theory]
    [MemberData(nameof(SingleWriter))]
    public async Task History_is_the_packages_with_patches_resolved(string name)
    {
        var corpus = CorpusStore.Get(name);
        if (!corpus.Expected.TryGetValue("ops", out var reported)) return;
        using var folder = Copy(corpus);
        var options = corpus.Options(Recovery.SkipCorrupt);
        options.ReadOnly = true;
        await using var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, options);

        // Where acknowledged lines are read that the package drops, its list of operations is not the truth either.
        if (corpus.CorrectState is { } correct && JsonTree.Difference(correct, StoreReading.StateOf(store)) is null) return;
        var operations = JsonTree.Array(reported).Select(JsonTree.Object).ToList();
        foreach (var (id, indexes) in JsonTree.Object(corpus.Expected["history"]))
        {
            var expected = JsonTree.Array(indexes).Select(i => operations[(int)(double)i!]).ToList();
            var actual = new List<Operation<JsonElement>>();
            await foreach (var operation in store.HistoryAsync(id)) actual.Add(operation);
            Assert.Equal(expected.Count, actual.Count);
            foreach (var (e, a) in expected.Zip(actual)) AssertOperation(corpus, e, a);
        }

        var all = 0;
        await foreach (var _ in store.OperationsAsync()) all++;
        Assert.Equal(operations.Count, all);
    }

    [Theory]
    [MemberData(nameof(SingleWriter))]
    public async Task Archives_are_those_of_the_manifest(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = Copy(corpus);
        var options = corpus.Options(Recovery.SkipCorrupt);
        options.ReadOnly = true;
        await using var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, options);
        var segments = JsonTree.Array(corpus.Expected["archiveSegments"]).Select(s => ((string)s!)["archive/archive-".Length..^".json".Length]);
        Assert.Equal(segments.Order(StringComparer.Ordinal), store.Archives);
        var expected = corpus.Archives.ToDictionary(
            a => a.Key,
            a => (object?)JsonTree.Object(a.Value).ToDictionary(r => r.Key, r => corpus.WithMigration(r.Value), StringComparer.Ordinal),
            StringComparer.Ordinal);
        Assert.Null(JsonTree.Difference(expected, await StoreReading.ArchivesOf(store)));
    }

    [Theory]
    [MemberData(nameof(SingleWriter))]
    public async Task A_write_adds_one_record_and_takes_nothing_away(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = Copy(corpus);
        Dictionary<string, object?> before;
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, corpus.Options(Recovery.SkipCorrupt)))
        {
            before = StoreReading.StateOf(store);
            AssertState(corpus, store);
            await store.SetAsync("added by the test", StoreReading.Element("""{"added":true,"text":"žluťoučký 🐎"}"""));
        }

        before["added by the test"] = JsonTree.Parse("""{"added":true,"text":"žluťoučký 🐎"}""");
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, corpus.Options(Recovery.SkipCorrupt)))
        {
            Assert.Null(JsonTree.Difference(before, StoreReading.StateOf(store)));
            await store.CompactAsync();
            Assert.Null(JsonTree.Difference(before, StoreReading.StateOf(store)));
        }

        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, corpus.Options(Recovery.SkipCorrupt)))
            Assert.Null(JsonTree.Difference(before, StoreReading.StateOf(store)));
        AssertNothingIsGone(corpus, folder);
    }

    [Theory]
    [MemberData(nameof(SingleWriter))]
    public async Task Verify_finds_what_opening_refuses_and_nothing_else(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = Copy(corpus);
        await using var storage = new FileStorage(folder.Path);
        var report = await OpsStore.VerifyAsync(storage);
        var isRefused = await OpenOrJudge(corpus, folder.Path, readOnly: true) is var store && store is null;
        if (store is not null) await store.DisposeAsync();
        Assert.Equal(isRefused, !report.IsSound);
        foreach (var damage in report.Damages) AssertDeserved(corpus, damage);
        AssertUnchanged(corpus, folder);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task What_the_package_cannot_open_is_refused_by_file(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = Copy(corpus);
        foreach (var readOnly in new[] { true, false })
        {
            var options = corpus.Options();
            options.ReadOnly = readOnly;
            var refusal = await Assert.ThrowsAsync<OpsLogException>(() => OpsStore<JsonElement>.OpenAsync(folder.Path, options).AsTask());
            Assert.Equal(OpsLogError.Damaged, refusal.Error);
            AssertDeserved(corpus, refusal.Damage!);
            Assert.Contains(refusal.Damage!.File, refusal.Message, StringComparison.Ordinal);
            AssertNothingIsGone(corpus, folder);
        }
    }

    [Theory]
    [MemberData(nameof(NewerThanTheCode))]
    public async Task A_newer_store_is_refused_by_older_code_and_read_at_its_own_version(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = Copy(corpus);
        foreach (var readOnly in new[] { true, false })
        {
            var refusal = await Assert.ThrowsAsync<OpsLogException>(() =>
                OpsStore<JsonElement>.OpenAsync(folder.Path, new OpsStoreOptions { SchemaVersion = 1, ReadOnly = readOnly }).AsTask());
            Assert.Equal(OpsLogError.TooNew, refusal.Error);
        }

        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, new OpsStoreOptions()))
        {
            Assert.Equal(3, store.SchemaVersion);
            AssertState(corpus, store);
            await store.CompactAsync();
        }

        await using var reopened = await OpsStore<JsonElement>.OpenAsync(folder.Path, new OpsStoreOptions { ReadOnly = true });
        Assert.Equal(3, reopened.SchemaVersion);
        AssertState(corpus, reopened);
    }

    internal static TempFolder Copy(CorpusStore corpus)
    {
        var folder = new TempFolder();
        corpus.CopyTo(folder.Path);
        return folder;
    }

    internal static void AssertState(CorpusStore corpus, OpsStore<JsonElement> store)
    {
        var state = StoreReading.StateOf(store);
        var differences = corpus.AllowedStates().Select(allowed => JsonTree.Difference(allowed, state)).ToList();
        Assert.True(differences.Contains(null), $"{corpus.Name}: {string.Join("; or ", differences)}");
    }

    /// <summary>Opens with the default recovery. A refusal must be deserved; it gives null.</summary>
    private static async Task<OpsStore<JsonElement>?> OpenOrJudge(CorpusStore corpus, string folder, bool readOnly)
    {
        var options = corpus.Options();
        options.ReadOnly = readOnly;
        try
        {
            return await OpsStore<JsonElement>.OpenAsync(folder, options);
        }
        catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
        {
            Assert.NotNull(e.Damage);
            AssertDeserved(corpus, e.Damage);
            return null;
        }
    }

    /// <summary>A damage names a file and a line that is really no operation, and that is not the unfinished end of its file.</summary>
    internal static void AssertDeserved(CorpusStore corpus, Damage damage)
    {
        if (!corpus.Files.TryGetValue(damage.File, out var file))
        {
            Assert.Contains(JsonTree.Quote(damage.File), Encoding.UTF8.GetString(corpus.Files["manifest.json"]), StringComparison.Ordinal);
            return;
        }

        if (damage.File == "manifest.json")
        {
            Assert.Throws<FormatException>(() => JsonTree.Parse(file));
            return;
        }

        Assert.True(damage.Line > 0, $"{damage} names no line");
        var (line, offset, isFinished) = PackageLine.At(file, damage.Line);
        Assert.Equal(offset, damage.Offset);
        Assert.True(isFinished, $"{damage} is a torn tail");
        Assert.False(PackageLine.IsSound(line) && !IsDoubtfulBesideDamage(file, line), $"{damage} is a sound line");
    }

    // In a log with real damage, a line that the package's own reader refuses cannot be told from damage.
    private static bool IsDoubtfulBesideDamage(byte[] file, byte[] line) =>
        !PackageLine.IsReadByThePackage(line) && PackageLine.LinesOf(file).Any(l => !PackageLine.IsSound(l));

    private static void AssertOperation(CorpusStore corpus, Dictionary<string, object?> expected, Operation<JsonElement> actual)
    {
        Assert.Equal((string)expected["op"]! == "set" ? OperationKind.Set : OperationKind.Delete, actual.Kind);
        Assert.Equal((string)expected["id"]!, actual.Id);
        if (actual.Kind == OperationKind.Set)
            Assert.Null(JsonTree.Difference(corpus.WithMigration(expected["data"]), JsonTree.Parse(actual.Value.GetRawText())));
        if (DateTimeOffset.TryParse((string)expected["ts"]!, System.Globalization.CultureInfo.InvariantCulture, out var time)) Assert.Equal(time, actual.Time);
        Assert.Equal(expected["prev"] is not null, actual.HasPrevious);
        if (!actual.HasPrevious) return;
        var isPatch = expected.GetValueOrDefault("encoding") is "delta";
        var previous = isPatch ? Patched(JsonTree.Object(expected["data"]), JsonTree.Object(expected["prev"])) : expected["prev"];
        Assert.Null(JsonTree.Difference(corpus.WithMigration(previous), JsonTree.Parse(actual.Previous.GetRawText())));
    }

    private static Dictionary<string, object?> Patched(Dictionary<string, object?> document, Dictionary<string, object?> patch)
    {
        var result = new Dictionary<string, object?>(document, StringComparer.Ordinal);
        if (patch.TryGetValue("$set", out var set))
            foreach (var (name, value) in JsonTree.Object(set)) result[name] = value;
        if (patch.TryGetValue("$unset", out var unset))
            foreach (var name in JsonTree.Array(unset)) result.Remove((string)name!);
        return result;
    }

    internal static void AssertUnchanged(CorpusStore corpus, TempFolder folder)
    {
        var after = TempFolder.Contents(folder.Path);
        Assert.Equal(corpus.Files.Keys.Order(StringComparer.Ordinal), after.Keys);
        foreach (var (path, bytes) in corpus.Files) Assert.True(bytes.AsSpan().SequenceEqual(after[path]), $"{path} was changed by reading.");
    }

    /// <summary>Whatever the package left is there to its last byte, with or without something appended; only the manifest and locks may differ.</summary>
    internal static void AssertNothingIsGone(CorpusStore corpus, TempFolder folder)
    {
        var after = TempFolder.Contents(folder.Path);
        foreach (var (path, bytes) in corpus.Files)
        {
            if (path is "manifest.json" or ".lock" or ".compact-lock") continue;
            Assert.True(after.TryGetValue(path, out var now), $"{path} was deleted.");
            Assert.True(now.AsSpan().StartsWith(bytes), $"{path} was rewritten.");
        }
    }
}
