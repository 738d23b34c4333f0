// Goal: the contract suite finds broken storages. Method: bugs planted one by one in a sound storage; the test of that promise must fail.
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class ContractCatchesTests
{
    [Theory]
    [InlineData(Bug.IgnoresConditions, nameof(StorageContract.K01_Creating_what_exists_is_a_conflict_and_changes_nothing))]
    [InlineData(Bug.IgnoresConditions, nameof(StorageContract.K01_Of_eight_that_create_one_object_exactly_one_does))]
    [InlineData(Bug.IgnoresConditions, nameof(StorageContract.K02_Of_eight_that_swap_one_version_exactly_one_does))]
    [InlineData(Bug.VersionIsLength, nameof(StorageContract.K02_An_old_version_is_a_conflict_and_so_is_any_of_an_absent_object))]
    [InlineData(Bug.IgnoresLength, nameof(StorageContract.K13_Of_eight_that_append_at_one_length_exactly_one_does))]
    [InlineData(Bug.DeclaresAppendItLacks, nameof(StorageContract.Append_works_or_is_refused_as_declared))]
    [InlineData(Bug.HidesAppendItHas, nameof(StorageContract.Append_works_or_is_refused_as_declared))]
    [InlineData(Bug.ListsOnePage, nameof(StorageContract.K07_A_long_listing_is_whole))]
    [InlineData(Bug.ShortReads, nameof(StorageContract.K10_A_range_gives_exactly_its_bytes))]
    [InlineData(Bug.ShortReads, nameof(StorageContract.K06_Readers_see_an_object_whole_while_it_is_replaced))]
    [InlineData(Bug.DeletesByPrefix, nameof(StorageContract.K08_Deleting_takes_one_object_and_may_be_repeated))]
    [InlineData(Bug.IgnoresCancellation, nameof(StorageContract.K12_A_call_cancelled_before_it_starts_does_nothing))]
    public async Task A_planted_bug_fails_its_test(Bug bug, string test)
    {
        await RunAsync(Bug.None, test);
        await Assert.ThrowsAnyAsync<Exception>(() => RunAsync(bug, test));
    }

    private static async Task RunAsync(Bug bug, string test)
    {
        var contract = new ContractOf(bug);
        await contract.InitializeAsync();
        await (Task)typeof(StorageContract).GetMethod(test)!.Invoke(contract, null)!;
        await contract.DisposeAsync();
    }

    public enum Bug
    {
        None,
        IgnoresConditions,
        VersionIsLength,
        IgnoresLength,
        DeclaresAppendItLacks,
        HidesAppendItHas,
        ListsOnePage,
        ShortReads,
        DeletesByPrefix,
        IgnoresCancellation,
    }

    private sealed class ContractOf(Bug bug) : StorageContract
    {
        protected override ValueTask<IOpsStorage> CreateAsync() => new(new Broken(bug));
    }

    private sealed class Broken(Bug bug) : IOpsStorage
    {
        private readonly MemoryStorage _inner = new(append: bug != Bug.DeclaresAppendItLacks);

        public StorageCapabilities Capabilities => bug switch
        {
            Bug.DeclaresAppendItLacks => _inner.Capabilities | StorageCapabilities.Append,
            Bug.HidesAppendItHas => _inner.Capabilities & ~StorageCapabilities.Append,
            _ => _inner.Capabilities,
        };

        public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
        {
            var found = await _inner.ReadAsync(key, range, Token(cancellationToken));
            if (found is null) return null;
            var bytes = await found.ReadToEndAsync(default);
            if (bug == Bug.ShortReads) bytes = bytes[..Math.Min(bytes.Length, 65_536)];
            return new StoredObject(bytes, found.Length, bug == Bug.VersionIsLength ? new StorageVersion($"{found.Length}") : found.Version);
        }

        public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
        {
            if (bug == Bug.IgnoresConditions) condition = PutCondition.Always;
            if (bug == Bug.VersionIsLength && condition.Kind == PutConditionKind.IfVersion)
            {
                await using var found = await ReadAsync(key, new ByteRange(0, 0), cancellationToken);
                if (found?.Version != condition.Version) return new PutResult(PutOutcome.Conflict);
                condition = PutCondition.Always;
            }

            var result = await _inner.PutAsync(key, content, condition, Token(cancellationToken));
            return bug == Bug.VersionIsLength && result.IsStored ? result with { Version = new StorageVersion($"{content.Length}") } : result;
        }

        public async ValueTask<PutResult> AppendAsync(
            StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
        {
            while (true)
            {
                var result = await _inner.AppendAsync(key, bytes, expectedLength, flush, Token(cancellationToken));
                if (result.IsStored || bug != Bug.IgnoresLength) return result;
                await using var found = await _inner.ReadAsync(key, new ByteRange(0, 0), default);
                expectedLength = found!.Length;
            }
        }

        public async IAsyncEnumerable<StorageEntry> ListAsync(
            StorageKey prefix, StorageKey? after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var count = 0;
            await foreach (var entry in _inner.ListAsync(prefix, after, Token(cancellationToken)))
            {
                if (bug == Bug.ListsOnePage && count++ == 1000) yield break;
                yield return entry;
            }
        }

        public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
        {
            await _inner.DeleteAsync(key, Token(cancellationToken));
            if (bug != Bug.DeletesByPrefix) return;
            await foreach (var entry in _inner.ListAsync(key, null, default)) await _inner.DeleteAsync(entry.Key, default);
        }

        public ValueTask DisposeAsync() => _inner.DisposeAsync();

        private CancellationToken Token(CancellationToken given) => bug == Bug.IgnoresCancellation ? default : given;
    }
}
