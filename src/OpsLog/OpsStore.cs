using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization.Metadata;
using OpsLog.Storage;

namespace OpsLog;

// DRAFT of the surface: bodies follow.
public sealed partial class OpsStore<T> : IReadOnlyDictionary<string, T>, IAsyncDisposable
{
    public static ValueTask<OpsStore<T>> OpenAsync(string location, OpsStoreOptions? options = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public static ValueTask<OpsStore<T>> OpenAsync(string location, JsonTypeInfo<T> typeInfo, OpsStoreOptions? options = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public static ValueTask<OpsStore<T>> OpenAsync(IOpsStorage storage, OpsStoreOptions? options = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public T this[string key] => throw new NotImplementedException();
    public int Count => throw new NotImplementedException();
    public IEnumerable<string> Keys => throw new NotImplementedException();
    public IEnumerable<T> Values => throw new NotImplementedException();
    public bool ContainsKey(string key) => throw new NotImplementedException();
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out T value) => throw new NotImplementedException();
    public bool TryGet(string id, [MaybeNullWhen(false)] out T value, out Revision revision) => throw new NotImplementedException();
    public IEnumerator<KeyValuePair<string, T>> GetEnumerator() => throw new NotImplementedException();
    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    /// <summary>The record's stored JSON (minified UTF-8), or false.</summary>
    public bool TryGetJson(string id, out ReadOnlyMemory<byte> json) => throw new NotImplementedException();
    /// <summary>One point in time: whole batches only, unchanged by later writes.</summary>
    public OpsView<T> View() => throw new NotImplementedException();

    /// <returns>The new revision.</returns>
    public ValueTask<Revision> SetAsync(string id, T value, Revision? expected = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    /// <returns>False when absent.</returns>
    public ValueTask<bool> DeleteAsync(string id, Revision? expected = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public ValueTask<T> UpdateAsync(string id, Func<T, T> update, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public ValueTask BatchAsync(Action<OpsBatch<T>> build, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public ValueTask BatchAsync(Func<OpsBatch<T>, Task> build, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public ValueTask FlushAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <returns>False when there is nothing to undo.</returns>
    public ValueTask<bool> UndoAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public ValueTask<bool> RedoAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public IAsyncEnumerable<Operation<T>> HistoryAsync(string id, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public IAsyncEnumerable<Operation<T>> OperationsAsync(FeedPosition since = default, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask CompactAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();
    /// <returns>How many records were moved.</returns>
    public ValueTask<int> ArchiveAsync(Func<T, bool> predicate, string? period = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public ValueTask<int> ArchiveAsync(IEnumerable<string> ids, string? period = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public ValueTask<IReadOnlyDictionary<string, T>> LoadArchiveAsync(string period, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public IReadOnlyList<string> Archives => throw new NotImplementedException();
    /// <returns>How many operations of others were taken in.</returns>
    public ValueTask<int> RefreshAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public IAsyncEnumerable<Change<T>> WatchAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public IAsyncEnumerable<Change<T>> WatchAsync(FeedPosition since, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public StoreStatistics Statistics => throw new NotImplementedException();
    public RecoveryReport RecoveryReport => throw new NotImplementedException();
    public int SchemaVersion => throw new NotImplementedException();
    /// <summary>A consistent copy while writers go on; the target must be empty.</summary>
    public ValueTask BackupAsync(IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

public sealed class OpsView<T> : IReadOnlyDictionary<string, T>
{
    public T this[string key] => throw new NotImplementedException();
    public int Count => throw new NotImplementedException();
    public IEnumerable<string> Keys => throw new NotImplementedException();
    public IEnumerable<T> Values => throw new NotImplementedException();
    public bool ContainsKey(string key) => throw new NotImplementedException();
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out T value) => throw new NotImplementedException();
    public IEnumerator<KeyValuePair<string, T>> GetEnumerator() => throw new NotImplementedException();
    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>How far long work has got.</summary>
public readonly record struct StoreProgress(string Stage, long Done, long Total);

/// <summary>Work on a store as a whole, without a document type.</summary>
public static class OpsStore
{
    /// <summary>Reads every byte, checks everything checkable. Never writes.</summary>
    public static ValueTask<VerifyReport> VerifyAsync(IOpsStorage storage, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    /// <summary>Salvages what it can of <paramref name="source"/> (never touched) into <paramref name="target"/> (must be empty).</summary>
    public static ValueTask<RepairReport> RepairAsync(IOpsStorage source, IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
    /// <summary>Copies a backup to an empty storage under a new incarnation.</summary>
    public static ValueTask RestoreAsync(IOpsStorage backup, IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
}

public sealed record VerifyReport(IReadOnlyList<Damage> Damages, IReadOnlyList<Damage> Notes, long Objects, long Bytes, long Records, long Operations)
{
    public bool IsSound => Damages.Count == 0;
}

public sealed record RepairReport(IReadOnlyList<Damage> Losses, long Records, IReadOnlyList<string> Quarantined);
