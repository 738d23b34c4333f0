using Xunit;

namespace OpsLog.Testing;

public abstract partial class StorageContract
{
    /// <summary>K1: of eight that create one object, one does, and its bytes are there.</summary>
    [Fact]
    public async Task K01_Of_eight_that_create_one_object_exactly_one_does()
    {
        var other = await AnotherClientAsync();
        for (var round = 0; round < 5; round++)
        {
            var key = $"ops/created-{round}.jsonl";
            var results = await RaceAsync(8, i => PutAsync(i % 2 == 0 ? Storage : other, key, Bytes(100 + i, i), PutCondition.IfAbsent));
            var winner = Assert.Single(Enumerable.Range(0, 8), i => results[i].IsStored);
            Assert.All(results.Where(result => !result.IsStored), result => Assert.Equal(PutOutcome.Conflict, result.Outcome));
            await HoldsAsync(Storage, key, Bytes(100 + winner, winner));
        }
    }

    /// <summary>K1: creating what exists is a conflict and changes nothing.</summary>
    [Fact]
    public async Task K01_Creating_what_exists_is_a_conflict_and_changes_nothing()
    {
        var version = await StoreAsync(Storage, "manifest.json", Bytes(10));
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(Storage, "manifest.json", Bytes(20), PutCondition.IfAbsent)).Outcome);
        await HoldsAsync(Storage, "manifest.json", Bytes(10));
        Assert.Equal(version, await VersionAsync(Storage, "manifest.json"));
    }

    /// <summary>K1: what was deleted can be created again.</summary>
    [Fact]
    public async Task K01_What_was_deleted_can_be_created_again()
    {
        await StoreAsync(Storage, "a/b", Bytes(10), PutCondition.IfAbsent);
        await Storage.DeleteAsync(Key("a/b"), Token);
        await StoreAsync(Storage, "a/b", Bytes(11), PutCondition.IfAbsent);
        await HoldsAsync(Storage, "a/b", Bytes(11));
    }

    /// <summary>K2: of eight that swap one version, one does; the others get a conflict.</summary>
    [Fact]
    public async Task K02_Of_eight_that_swap_one_version_exactly_one_does()
    {
        var other = await AnotherClientAsync();
        var version = await StoreAsync(Storage, "manifest.json", Bytes(50));
        for (var round = 0; round < 5; round++)
        {
            var seen = version;
            var results = await RaceAsync(8, i => PutAsync(
                i % 2 == 0 ? Storage : other, "manifest.json", Bytes(50, (round * 8) + i + 1), PutCondition.IfVersion(seen)));
            var winner = Assert.Single(Enumerable.Range(0, 8), i => results[i].IsStored);
            Assert.All(results.Where(result => !result.IsStored), result => Assert.Equal(PutOutcome.Conflict, result.Outcome));
            await HoldsAsync(Storage, "manifest.json", Bytes(50, (round * 8) + winner + 1));
            version = results[winner].Version;
            Assert.Equal(version, await VersionAsync(other, "manifest.json"));
        }
    }

    /// <summary>K2: a counter that several swap upwards loses no step.</summary>
    [Fact]
    public async Task K02_A_counter_that_several_swap_upwards_loses_no_step()
    {
        var other = await AnotherClientAsync();
        await StoreAsync(Storage, "manifest.json", [0]);
        await RaceAsync(4, async i =>
        {
            var client = i % 2 == 0 ? Storage : other;
            for (var done = 0; done < 5;)
            {
                var found = await client.ReadAsync(Key("manifest.json"), ByteRange.All, Token);
                var next = (byte)((await found!.ReadToEndAsync(Token)).Span[0] + 1);
                await found.DisposeAsync();
                await Task.Yield(); // give the others a chance to come between
                if ((await PutAsync(client, "manifest.json", [next], PutCondition.IfVersion(found.Version))).IsStored) done++;
            }

            return true;
        });
        await HoldsAsync(Storage, "manifest.json", [20]);
    }

    /// <summary>K2: an old version does not swap, nor does any version of an absent object.</summary>
    [Fact]
    public async Task K02_An_old_version_is_a_conflict_and_so_is_any_of_an_absent_object()
    {
        var first = await StoreAsync(Storage, "manifest.json", Bytes(10, 1));
        var second = await StoreAsync(Storage, "manifest.json", Bytes(10, 2), PutCondition.IfVersion(first));
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(Storage, "manifest.json", Bytes(10, 3), PutCondition.IfVersion(first))).Outcome);
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(Storage, "manifest.json", Bytes(10, 3), PutCondition.IfVersion(default))).Outcome);
        await HoldsAsync(Storage, "manifest.json", Bytes(10, 2));
        await Storage.DeleteAsync(Key("manifest.json"), Token);
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(Storage, "manifest.json", Bytes(10, 3), PutCondition.IfVersion(second))).Outcome);
        Assert.Null(await LoadAsync(Storage, "manifest.json"));
    }

    /// <summary>K2: versions of equally long contents differ, also of large ones and across a deletion.</summary>
    /// <param name="length">The objects' length in bytes.</param>
    [Theory]
    [InlineData(1)]
    [InlineData(300_000)]
    public async Task K02_No_two_contents_of_an_object_share_a_version(int length)
    {
        var versions = new List<StorageVersion>();
        for (var i = 0; i < 10; i++)
        {
            versions.Add(await StoreAsync(Storage, "manifest.json", Bytes(length, i)));
            if (i % 4 == 3) await Storage.DeleteAsync(Key("manifest.json"), Token);
        }

        Assert.Equal(versions.Count, versions.Distinct().Count());
    }

    /// <summary>K2: a version is the same however it is learnt, and stays while the content does.</summary>
    [Fact]
    public async Task K02_A_version_stays_while_the_content_does()
    {
        var other = await AnotherClientAsync();
        foreach (var length in (int[])[0, 5, 300_000, 3_000_000])
        {
            var key = $"snapshots/{length}";
            var version = await StoreAsync(Storage, key, Bytes(length));
            await using var all = await other.ReadAsync(Key(key), ByteRange.All, Token);
            await using var part = await other.ReadAsync(Key(key), new ByteRange(1, 2), Token);
            Assert.False(string.IsNullOrEmpty(version.Tag));
            Assert.Equal(version, all!.Version);
            Assert.Equal(version, part!.Version);
            Assert.Equal(version, await VersionAsync(Storage, key));
        }
    }

    /// <summary>K3: another client sees at once what was put, replaced, appended and deleted.</summary>
    [Fact]
    public async Task K03_Another_client_sees_every_write_at_once()
    {
        var other = await AnotherClientAsync();
        await StoreAsync(Storage, "ops/x.jsonl", Bytes(3, 1), PutCondition.IfAbsent);
        await HoldsAsync(other, "ops/x.jsonl", Bytes(3, 1));
        var version = await StoreAsync(Storage, "ops/x.jsonl", Bytes(3, 2));
        await HoldsAsync(other, "ops/x.jsonl", Bytes(3, 2));
        await StoreAsync(other, "ops/x.jsonl", Bytes(3, 3), PutCondition.IfVersion(version));
        await HoldsAsync(Storage, "ops/x.jsonl", Bytes(3, 3));
        if (CanAppend)
        {
            Assert.True((await AppendAsync(Storage, "ops/x.jsonl", [9], 3, Flush.Written)).IsStored);
            await HoldsAsync(other, "ops/x.jsonl", [.. Bytes(3, 3), 9]);
        }

        await Storage.DeleteAsync(Key("ops/x.jsonl"), Token);
        Assert.Null(await LoadAsync(other, "ops/x.jsonl"));
        Assert.Empty(await NamesAsync(other));
    }

    /// <summary>The declared capability: what another client writes is told of. Who declares nothing never says anything.</summary>
    [Fact]
    public async Task A_change_by_another_client_is_told_if_declared()
    {
        if (!Storage.Capabilities.HasFlag(StorageCapabilities.Notify))
        {
            var silent = Storage.NextChangeAsync();
            await StoreAsync(Storage, "ops/x.jsonl", [1]);
            Assert.False(silent.IsCompleted);
            return;
        }

        var other = await AnotherClientAsync();
        await StoreAsync(other, "ops/x.jsonl", []);
        await Storage.NextChangeAsync().WaitAsync(Patience, Token); // by now the storage listens
        for (var round = 0; round < 5; round++)
        {
            var next = Storage.NextChangeAsync();
            if (CanAppend && round % 2 == 0) Assert.True((await AppendAsync(other, "ops/x.jsonl", [1], round / 2)).IsStored);
            else await StoreAsync(other, $"ops/{round}.jsonl", [1]);
            await next.WaitAsync(Patience, Token);
        }
    }

    /// <summary>K6: whoever reads while an object is replaced gets one content or the other, whole.</summary>
    [Fact]
    public async Task K06_Readers_see_an_object_whole_while_it_is_replaced()
    {
        const int length = 400_000;
        var other = await AnotherClientAsync();
        var contents = Enumerable.Range(0, 2).Select(i => Enumerable.Repeat((byte)(i + 1), length + i).ToArray()).ToArray();
        await StoreAsync(Storage, "archive/a.json", contents[0]);
        var writing = Task.Run(async () =>
        {
            for (var i = 1; i <= 10; i++) await StoreAsync(Storage, "archive/a.json", contents[i % 2]);
        }, Token);
        do
        {
            var seen = await LoadAsync(other, "archive/a.json");
            Assert.NotNull(seen);
            Assert.True(seen.AsSpan().SequenceEqual(contents[seen[0] - 1]));
        }
        while (!writing.IsCompleted);
        await writing;
    }

    /// <summary>K6: a put whose content breaks off leaves what was there, and no trace.</summary>
    [Fact]
    public async Task K06_A_put_whose_content_breaks_off_changes_nothing()
    {
        await StoreAsync(Storage, "kept", Bytes(10));
        foreach (var key in (string[])["kept", "new/one"])
        {
            var broken = new TrickleStream(Bytes(300_000)) { FailAt = 200_000 };
            await Assert.ThrowsAnyAsync<Exception>(async () => await Storage.PutAsync(Key(key), broken, PutCondition.Always, Token));
        }

        await HoldsAsync(Storage, "kept", Bytes(10));
        Assert.Equal(["kept"], await NamesAsync(Storage));
    }

    /// <summary>K6: content may come in small pieces, without a known length, and from the middle of a stream.</summary>
    [Fact]
    public async Task K06_Content_is_read_from_the_streams_position_to_its_end()
    {
        var content = Bytes(50_000);
        await Storage.PutAsync(Key("trickled"), new TrickleStream(content), PutCondition.Always, Token);
        await Storage.PutAsync(Key("rest"), new MemoryStream(content) { Position = 49_000 }, PutCondition.Always, Token);
        await HoldsAsync(Storage, "trickled", content);
        await HoldsAsync(Storage, "rest", content[49_000..]);
    }

    /// <summary>K6: an object may be empty, and is then there.</summary>
    [Fact]
    public async Task K06_An_empty_object_is_there()
    {
        await StoreAsync(Storage, "empty", [], PutCondition.IfAbsent);
        await HoldsAsync(Storage, "empty", []);
        Assert.Equal(["empty"], await NamesAsync(Storage));
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(Storage, "empty", [1], PutCondition.IfAbsent)).Outcome);
    }

    /// <summary>K14: creating many new objects at once never gives a conflict, as a client's own retry could.</summary>
    [Fact]
    public async Task K14_Creating_new_names_is_never_a_conflict()
    {
        var results = await RaceAsync(8, async i =>
        {
            var outcomes = new List<PutOutcome>();
            for (var n = 0; n < 8; n++) outcomes.Add((await PutAsync(Storage, $"ops/new-{i}-{n}", Bytes(20, i), PutCondition.IfAbsent)).Outcome);
            return outcomes;
        });
        Assert.All(results.SelectMany(outcomes => outcomes), outcome => Assert.Equal(PutOutcome.Stored, outcome));
    }

    /// <summary>A stream that gives few bytes at a time, knows no length, and may break.</summary>
    private sealed class TrickleStream(byte[] content) : Stream
    {
        private int _position;

        public int FailAt { get; init; } = int.MaxValue;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (_position >= FailAt) throw new InvalidOperationException("The content broke off (as the test wants).");
            var read = Math.Min(Math.Min(count, 777), content.Length - _position);
            content.AsSpan(_position, read).CopyTo(buffer.AsSpan(offset));
            _position += read;
            return read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
