using Xunit;

namespace OpsLog.Testing;

public abstract partial class StorageContract
{
    /// <summary>K7: a listing names every object once, with its length, in ordinal order if declared.</summary>
    [Fact]
    public async Task K07_A_listing_names_every_object_once()
    {
        var expected = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var name in (string[])["b", "Z", "a/c", "a-b", "a.b", "a0", "ops/ops-2", "ops/ops-10", "ops/x/y/z", "opsx"])
        {
            await StoreAsync(Storage, name, Bytes(name.Length));
            expected.Add(name, name.Length);
        }

        var entries = new List<StorageEntry>();
        await foreach (var entry in Storage.ListAsync(StorageKey.Root, null, Token)) entries.Add(entry);
        Assert.Equal(expected, entries.ToDictionary(entry => entry.Key.Value, entry => entry.Length, StringComparer.Ordinal));
        if (Storage.Capabilities.HasFlag(StorageCapabilities.ListIsOrdered))
            Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), entries.Select(entry => entry.Key.Value));
    }

    /// <summary>K7: a prefix is the start of a name, not only a folder; "after" leaves out what comes before, itself included.</summary>
    [Fact]
    public async Task K07_A_listing_keeps_to_its_prefix_and_start()
    {
        foreach (var name in (string[])["ops/ops-1", "ops/ops-2", "ops/agent-1", "ops2/x", "snapshots/ops", "op"]) await StoreAsync(Storage, name, []);
        Assert.Equal(["ops/ops-1", "ops/ops-2"], (await NamesAsync(Storage, "ops/ops-")).Order(StringComparer.Ordinal));
        Assert.Equal(["ops/agent-1", "ops/ops-1", "ops/ops-2", "ops2/x"], (await NamesAsync(Storage, "ops")).Order(StringComparer.Ordinal));
        Assert.Equal(["ops/ops-1"], await NamesAsync(Storage, "ops/ops-1"));
        Assert.Equal(["ops/ops-2"], await NamesAsync(Storage, "ops/ops-", "ops/ops-1"));
        Assert.Equal(["ops/ops-2"], await NamesAsync(Storage, "ops/ops-", "ops/ops-1z"));
        Assert.Empty(await NamesAsync(Storage, "ops/ops-3"));
        Assert.Empty(await NamesAsync(Storage, "nowhere/x"));
        Assert.Equal(6, (await NamesAsync(Storage)).Count);
    }

    /// <summary>K7: a listing of more than one page is whole.</summary>
    [Fact]
    public async Task K07_A_long_listing_is_whole()
    {
        var names = Enumerable.Range(0, ListingSize).Select(i => $"ops/n{i:d5}").ToList();
        await Parallel.ForEachAsync(names, Token, async (name, _) => await StoreAsync(Storage, name, []));
        Assert.Equal(names, (await NamesAsync(Storage, "ops/n")).Order(StringComparer.Ordinal));
        var half = names.Count / 2;
        Assert.Equal(names[half..], (await NamesAsync(Storage, "ops/n", names[half - 1])).Order(StringComparer.Ordinal));
    }

    /// <summary>K8: deleting what is absent is fine, and deleting one object leaves its neighbours.</summary>
    [Fact]
    public async Task K08_Deleting_takes_one_object_and_may_be_repeated()
    {
        await Storage.DeleteAsync(Key("nothing"), Token);
        await Storage.DeleteAsync(Key("nothing/below"), Token);
        foreach (var name in (string[])["a/x", "a/xy", "a/x.1"]) await StoreAsync(Storage, name, [1]);
        await Storage.DeleteAsync(Key("a/x"), Token);
        await Storage.DeleteAsync(Key("a/x"), Token);
        Assert.Equal(["a/x.1", "a/xy"], (await NamesAsync(Storage)).Order(StringComparer.Ordinal));
        Assert.Null(await LoadAsync(Storage, "a/x"));
    }

    /// <summary>K9: what is not there reads as null, whatever is near it; the prefix of a name is no object.</summary>
    [Fact]
    public async Task K09_Only_what_is_not_there_reads_as_null()
    {
        Assert.Null(await LoadAsync(Storage, "a"));
        Assert.Null(await LoadAsync(Storage, "a/b/c"));
        Assert.Empty(await NamesAsync(Storage));
        await StoreAsync(Storage, "a/b", [1]);
        Assert.Null(await LoadAsync(Storage, "a/b/c"));
        Assert.Null(await LoadAsync(Storage, "a/B2"));
        Assert.Null(await LoadAsync(Storage, "a/c", new ByteRange(0, 0)));
    }

    /// <summary>K9: the empty key is a prefix; no object can have it.</summary>
    [Fact]
    public async Task K09_The_empty_key_is_no_object()
    {
        await Assert.ThrowsAnyAsync<Exception>(() => PutAsync(Storage, "", [1]));
        Assert.Empty(await NamesAsync(Storage));
    }

    /// <summary>K10: a range gives exactly its bytes, cut at the object's end, and always the whole length.</summary>
    [Fact]
    public async Task K10_A_range_gives_exactly_its_bytes()
    {
        foreach (var length in (int[])[0, 1, 10, 20_000, 300_000])
        {
            var whole = Bytes(length);
            await StoreAsync(Storage, "snapshots/x", whole);
            foreach (var offset in (long[])[0, 1, length / 2, length - 1, length, length + 5, long.MaxValue])
                foreach (var count in (long?[])[null, 0, 1, length / 2, length, length + 5, long.MaxValue])
                {
                    if (offset < 0) continue;
                    await using var found = await Storage.ReadAsync(Key("snapshots/x"), new ByteRange(offset, count), Token);
                    var start = (int)Math.Min(offset, length);
                    var end = start + (int)Math.Min(count ?? long.MaxValue, length - start);
                    Assert.Equal(length, found!.Length);
                    Assert.True((await found.ReadToEndAsync(Token)).Span.SequenceEqual(whole.AsSpan(start..end)), $"[{offset}, {count}] of {length}");
                }
        }
    }

    /// <summary>K10: negative ranges are mistakes, not empty.</summary>
    [Fact]
    public async Task K10_A_negative_offset_is_refused()
    {
        await StoreAsync(Storage, "x", [1]);
        await Assert.ThrowsAnyAsync<ArgumentException>(() => LoadAsync(Storage, "x", new ByteRange(-1)));
    }

    /// <summary>K10: objects of 10 MB read whole, in parts, and as a stream, equal everywhere.</summary>
    /// <param name="key">Where: objects of a snapshot's, an archive's and a log's name may be read in different ways.</param>
    [Theory]
    [InlineData("snapshots/large.jsonl")]
    [InlineData("archive/large.json")]
    [InlineData("ops/large.jsonl")]
    public async Task K10_A_large_object_reads_whole_in_parts_and_as_a_stream(string key)
    {
        var whole = Bytes(10_000_000);
        await StoreAsync(Storage, key, whole);
        foreach (var (offset, end) in ((int, int)[])[(0, whole.Length), (4_000_001, 7_000_002), (whole.Length - 10, whole.Length)])
        {
            var part = await LoadAsync(Storage, key, new ByteRange(offset, end - offset));
            Assert.True(whole.AsSpan(offset..end).SequenceEqual(part));
        }

        await using var found = await Storage.ReadAsync(Key(key), ByteRange.All, Token);
        using var copy = new MemoryStream();
        await found!.Content.CopyToAsync(copy, Token);
        Assert.True(whole.AsSpan().SequenceEqual(copy.ToArray()));
    }

    /// <summary>K10: bytes that were handed out stay as they are while the object is appended to, replaced and deleted.</summary>
    [Fact]
    public async Task K10_Bytes_handed_out_do_not_change()
    {
        foreach (var length in (int[])[10, 300_000])
        {
            var key = $"archive/{length}";
            await StoreAsync(Storage, key, Bytes(length, 1));
            await using var found = await Storage.ReadAsync(Key(key), ByteRange.All, Token);
            var bytes = await found!.ReadToEndAsync(Token);
            if (CanAppend) Assert.True((await AppendAsync(Storage, key, Bytes(100_000), length)).IsStored);
            await StoreAsync(Storage, key, Bytes(length, 2));
            await Storage.DeleteAsync(Key(key), Token);
            Assert.True(Bytes(length, 1).AsSpan().SequenceEqual(bytes.Span));
        }
    }

    /// <summary>K12: a call that is cancelled before it starts does nothing.</summary>
    [Fact]
    public async Task K12_A_call_cancelled_before_it_starts_does_nothing()
    {
        await StoreAsync(Storage, "ops/x", [1]);
        var cancelled = new CancellationToken(canceled: true);
        var (key, two) = (Key("ops/x"), new byte[] { 2 });
        await CancelledAsync(async () => await Storage.ReadAsync(key, ByteRange.All, cancelled));
        await CancelledAsync(async () => await Storage.PutAsync(key, new MemoryStream(two), PutCondition.Always, cancelled));
        await CancelledAsync(async () => await Storage.PutAsync(Key("ops/y"), new MemoryStream(two), PutCondition.IfAbsent, cancelled));
        await CancelledAsync(async () => await Storage.DeleteAsync(key, cancelled));
        if (CanAppend) await CancelledAsync(async () => await Storage.AppendAsync(key, two, 1, Flush.Written, cancelled));
        await CancelledAsync(async () =>
        {
            await foreach (var _ in Storage.ListAsync(StorageKey.Root, null, cancelled)) Assert.Fail("A cancelled listing yielded.");
        });
        await HoldsAsync(Storage, "ops/x", [1]);
        Assert.Equal(["ops/x"], await NamesAsync(Storage));
        if (CanAppend) Assert.True((await AppendAsync(Storage, "ops/x", [3], 1)).IsStored);
    }

    /// <summary>K12: a put cancelled while its content comes in has happened wholly or not at all, and is not half there.</summary>
    [Fact]
    public async Task K12_A_put_cancelled_on_the_way_is_whole_or_absent()
    {
        await StoreAsync(Storage, "kept", Bytes(10));
        using var source = new CancellationTokenSource();
        var content = new CancellingStream(Bytes(600_000), source);
        await CancelledAsync(async () => await Storage.PutAsync(Key("kept"), content, PutCondition.Always, source.Token));
        var left = await LoadAsync(Storage, "kept");
        Assert.True(left!.Length is 10 or 600_000);
        Assert.Equal(["kept"], await NamesAsync(Storage));
    }

    /// <summary>K12: an append cancelled on the way ends as it would have, or has not begun.</summary>
    [Fact]
    public async Task K12_An_append_cancelled_on_the_way_is_done_or_not_begun()
    {
        if (!CanAppend) return;
        var expected = new List<byte>();
        await StoreAsync(Storage, "ops/x.jsonl", []);
        for (var round = 0; round < 10; round++)
        {
            var bytes = Bytes(100_000, round);
            using var source = new CancellationTokenSource();
            var appending = Storage.AppendAsync(Key("ops/x.jsonl"), bytes, expected.Count, Flush.Synced, source.Token).AsTask();
            if (round % 2 == 1) await Task.Delay(round, Token);
            await source.CancelAsync();
            try
            {
                Assert.True((await appending).IsStored);
                expected.AddRange(bytes);
            }
            catch (OperationCanceledException)
            {
                // nothing was written
            }

            await HoldsAsync(Storage, "ops/x.jsonl", expected);
        }
    }

    private static Task<OperationCanceledException> CancelledAsync(Func<Task> call) => Assert.ThrowsAnyAsync<OperationCanceledException>(call);

    /// <summary>A stream that cancels a token when half of it is read.</summary>
    private sealed class CancellingStream(byte[] content, CancellationTokenSource source) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Position >= Length / 2) source.Cancel();
            return new(Read(buffer.Span[..Math.Min(buffer.Length, 50_000)]));
        }

        public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            var buffer = new byte[50_000];
            while (await ReadAsync(buffer, cancellationToken) is var count and > 0) destination.Write(buffer.AsSpan(0, count));
        }
    }
}
