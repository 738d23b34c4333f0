using Xunit;

namespace OpsLog.Testing;

public abstract partial class StorageContract
{
    /// <summary>The declared capability: who can append does, who can't throws <see cref="NotSupportedException"/> and changes nothing.</summary>
    [Fact]
    public async Task Append_works_or_is_refused_as_declared()
    {
        await StoreAsync(Storage, "ops/x.jsonl", Bytes(5));
        if (CanAppend) Assert.True((await AppendAsync(Storage, "ops/x.jsonl", [1, 2], 5)).IsStored);
        else await Assert.ThrowsAsync<NotSupportedException>(() => AppendAsync(Storage, "ops/x.jsonl", [1, 2], 5));
        await HoldsAsync(Storage, "ops/x.jsonl", CanAppend ? [.. Bytes(5), 1, 2] : Bytes(5));
    }

    /// <summary>K4: appends add up, small and large, at either level of flushing.</summary>
    [Fact]
    public async Task K04_Appends_add_up()
    {
        if (!CanAppend) return;
        var expected = new List<byte>();
        await StoreAsync(Storage, "ops/x.jsonl", []);
        foreach (var length in (int[])[1, 0, 100, 5000, 70_000, 1, 2_000_000, 3])
        {
            var bytes = Bytes(length, length);
            Assert.True((await AppendAsync(Storage, "ops/x.jsonl", bytes, expected.Count, length % 2 == 0 ? Flush.Synced : Flush.Written)).IsStored);
            expected.AddRange(bytes);
        }

        await HoldsAsync(Storage, "ops/x.jsonl", expected);
        await HoldsAsync(await AnotherClientAsync(), "ops/x.jsonl", expected);
    }

    /// <summary>K4: what was appended is there for a client that opens the object after its writer let go.</summary>
    [Fact]
    public async Task K04_Appended_bytes_outlive_their_writer()
    {
        if (!CanAppend) return;
        await StoreAsync(Storage, "ops/x.jsonl", [1]);
        await AppendAsync(Storage, "ops/x.jsonl", [2], 1);
        await Storage.ReleaseAsync(Key("ops/x.jsonl"), Token);
        var other = await AnotherClientAsync();
        Assert.True((await AppendAsync(other, "ops/x.jsonl", [3], 2)).IsStored);
        await HoldsAsync(Storage, "ops/x.jsonl", [1, 2, 3]);
    }

    /// <summary>K13: an append at another length than the object's is a conflict and writes nothing, an empty append too.</summary>
    /// <param name="expected">The length expected of an object of 5 bytes.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(6)]
    [InlineData(long.MaxValue)]
    public async Task K13_An_append_at_another_length_is_a_conflict_and_writes_nothing(long expected)
    {
        if (!CanAppend) return;
        await StoreAsync(Storage, "ops/x.jsonl", Bytes(5));
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(Storage, "ops/x.jsonl", [1], expected)).Outcome);
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(Storage, "ops/x.jsonl", [], expected)).Outcome);
        Assert.True((await AppendAsync(Storage, "ops/x.jsonl", [7], 5)).IsStored);
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(Storage, "ops/x.jsonl", [1], 5)).Outcome);
        await HoldsAsync(Storage, "ops/x.jsonl", [.. Bytes(5), 7]);
    }

    /// <summary>K13: appending to what is not there is a conflict and makes nothing; absent is not zero long.</summary>
    [Fact]
    public async Task K13_Appending_to_an_absent_object_is_a_conflict_and_makes_nothing()
    {
        if (!CanAppend) return;
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(Storage, "ops/x.jsonl", [1], 0)).Outcome);
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(Storage, "ops/x.jsonl", [], 0)).Outcome);
        Assert.Null(await LoadAsync(Storage, "ops/x.jsonl"));
        Assert.Empty(await NamesAsync(Storage));
    }

    /// <summary>K13: an object that was deleted or replaced since the last append takes no append meant for the old one.</summary>
    [Fact]
    public async Task K13_An_append_after_a_deletion_or_replacement_is_a_conflict()
    {
        if (!CanAppend) return;
        await StoreAsync(Storage, "ops/x.jsonl", []);
        Assert.True((await AppendAsync(Storage, "ops/x.jsonl", [1, 2], 0)).IsStored);
        await StoreAsync(Storage, "ops/x.jsonl", [5]);
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(Storage, "ops/x.jsonl", [3], 2)).Outcome);
        Assert.True((await AppendAsync(Storage, "ops/x.jsonl", [6], 1)).IsStored);
        await HoldsAsync(Storage, "ops/x.jsonl", [5, 6]);
        await Storage.DeleteAsync(Key("ops/x.jsonl"), Token);
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(Storage, "ops/x.jsonl", [7], 2)).Outcome);
        Assert.Null(await LoadAsync(Storage, "ops/x.jsonl"));
    }

    /// <summary>K13, K5: of eight that append at one length one does, and its bytes are whole.</summary>
    [Fact]
    public async Task K13_Of_eight_that_append_at_one_length_exactly_one_does()
    {
        if (!CanAppend) return;
        var other = await AnotherClientAsync();
        var expected = new List<byte>();
        await StoreAsync(Storage, "ops/x.jsonl", []);
        for (var round = 0; round < 5; round++)
        {
            var length = expected.Count;
            var results = await RaceAsync(8, i => AppendAsync(i % 2 == 0 ? Storage : other, "ops/x.jsonl", Bytes(1000 + i, i), length, Flush.Written));
            var winner = Assert.Single(Enumerable.Range(0, 8), i => results[i].IsStored);
            Assert.All(results.Where(result => !result.IsStored), result => Assert.NotEqual(PutOutcome.Stored, result.Outcome));
            expected.AddRange(Bytes(1000 + winner, winner));
            await HoldsAsync(Storage, "ops/x.jsonl", expected);
        }
    }

    /// <summary>K5: who reads while another appends sees a beginning of what is written, never other bytes.</summary>
    [Fact]
    public async Task K05_Readers_see_a_beginning_of_what_is_appended()
    {
        if (!CanAppend) return;
        var other = await AnotherClientAsync();
        var whole = Bytes(300_000);
        await StoreAsync(Storage, "ops/x.jsonl", []);
        var writing = Task.Run(async () =>
        {
            for (var at = 0; at < whole.Length; at += 3000)
                Assert.True((await AppendAsync(Storage, "ops/x.jsonl", whole[at..(at + 3000)], at, Flush.Written)).IsStored);
        }, Token);
        do
        {
            var seen = await LoadAsync(other, "ops/x.jsonl");
            Assert.True(whole.AsSpan().StartsWith(seen));
        }
        while (!writing.IsCompleted);
        await writing;
    }

    /// <summary>The declared capability: what one client appends to is held against others until it is released.</summary>
    [Fact]
    public async Task A_living_writer_holds_what_it_appends_to_if_declared()
    {
        if (!Storage.Capabilities.HasFlag(StorageCapabilities.HoldsWriters)) return;
        var other = await AnotherClientAsync();
        Assert.NotSame(Storage, other);
        await StoreAsync(Storage, "ops/x.jsonl", [1]);
        Assert.True((await AppendAsync(Storage, "ops/x.jsonl", [], 1)).IsStored);
        var refused = await AppendAsync(other, "ops/x.jsonl", [2], 1);
        Assert.Equal(PutOutcome.Held, refused.Outcome);
        Assert.False(string.IsNullOrEmpty(refused.Detail));
        await HoldsAsync(other, "ops/x.jsonl", [1]);
        await Storage.ReleaseAsync(Key("ops/x.jsonl"), Token);
        Assert.True((await AppendAsync(other, "ops/x.jsonl", [2], 1)).IsStored);
        Assert.Equal(PutOutcome.Held, (await AppendAsync(Storage, "ops/x.jsonl", [3], 2)).Outcome);
    }

    /// <summary>Releasing what is not held, or not there, does nothing; what was released can be appended to again.</summary>
    [Fact]
    public async Task Releasing_is_always_possible()
    {
        await Storage.ReleaseAsync(Key("ops/none.jsonl"), Token);
        await StoreAsync(Storage, "ops/x.jsonl", [1]);
        await Storage.ReleaseAsync(Key("ops/x.jsonl"), Token);
        if (!CanAppend) return;
        await AppendAsync(Storage, "ops/x.jsonl", [2], 1);
        await Storage.ReleaseAsync(Key("ops/x.jsonl"), Token);
        await Storage.ReleaseAsync(Key("ops/x.jsonl"), Token);
        Assert.True((await AppendAsync(Storage, "ops/x.jsonl", [3], 2)).IsStored);
    }
}
