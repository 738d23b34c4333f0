namespace OpsLog.Storage;

/// <summary>
/// Bytes under a name: everything OpsLog asks of a storage. Five verbs, no JSON, no locks, no nouns of the store; the engine owns the
/// format for every backend. A backend is correct when it passes the contract suite of <c>OpsLog.Testing</c>.
/// </summary>
/// <remarks>
/// Implementations are safe for concurrent calls. Losing a race is a <see cref="PutResult"/>, not an exception; every failure is a
/// <see cref="StorageException"/> whose <see cref="StorageException.Fault"/> tells denied, full, throttled and broken apart. "Absent" is
/// never used to report a failure.
/// </remarks>
public interface IOpsStorage : IAsyncDisposable
{
    /// <summary>What this storage can do. Constant over its lifetime.</summary>
    StorageCapabilities Capabilities { get; }

    /// <summary>Reads an object, or a part of it.</summary>
    /// <param name="key">The object's name.</param>
    /// <param name="range">The bytes wanted. Reading at or past the end gives no bytes; a range that reaches past the end is cut there.</param>
    /// <param name="cancellationToken">Cancels the read; nothing changes.</param>
    /// <returns>The bytes, the object's whole length and its version; <see langword="null"/> if, and only if, there is no such object.</returns>
    /// <exception cref="StorageException">The object could not be read. It may exist.</exception>
    ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken);

    /// <summary>Writes a whole object. Atomic for readers, and durable when it returns <see cref="PutOutcome.Stored"/>.</summary>
    /// <param name="key">The object's name.</param>
    /// <param name="content">The bytes, read from the stream's position to its end.</param>
    /// <param name="condition">What must hold for the write to happen, checked by the write itself.</param>
    /// <param name="cancellationToken">Cancels the write; the object is then either wholly replaced or untouched.</param>
    /// <exception cref="StorageException">The write failed; <see cref="StorageException.OutcomeUnknown"/> says whether it may have happened.</exception>
    ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken);

    /// <summary>
    /// Appends to an object that exists and is exactly <paramref name="expectedLength"/> bytes long; that condition is the fence against
    /// other writers. Absent is not zero long: an absent object gives <see cref="PutOutcome.Conflict"/>. Appending no bytes checks the
    /// condition and claims the object for this process where the storage can.
    /// </summary>
    /// <param name="key">The object's name.</param>
    /// <param name="bytes">The bytes to add. They may be partly there after a failure, never in another order.</param>
    /// <param name="expectedLength">The length the object must have, in bytes.</param>
    /// <param name="flush">How far the bytes must have got before the call returns.</param>
    /// <param name="cancellationToken">Cancels the append before it begins; once begun it completes.</param>
    /// <returns><see cref="PutOutcome.Held"/> if another living writer holds the object.</returns>
    /// <exception cref="StorageException">The append failed; part of the bytes may be there.</exception>
    /// <exception cref="NotSupportedException">The storage does not have <see cref="StorageCapabilities.Append"/>.</exception>
    ValueTask<PutResult> AppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken);

    /// <summary>Lists the objects whose name starts with a prefix. A listing informs; it is never the proof that something is absent.</summary>
    /// <param name="prefix">What the names start with; <see cref="StorageKey.Root"/> for all.</param>
    /// <param name="after">Only names after this one in ordinal order; <see langword="null"/> for all.</param>
    /// <param name="cancellationToken">Stops the listing.</param>
    /// <exception cref="StorageException">The listing failed; what was yielded before stands.</exception>
    IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken);

    /// <summary>Deletes an object. Deleting an absent object is success.</summary>
    /// <param name="key">The object's name.</param>
    /// <param name="cancellationToken">Cancels the delete; the object is then there or gone.</param>
    /// <exception cref="StorageException">The object could not be deleted.</exception>
    ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken);

    /// <summary>
    /// Gives up whatever this process holds to append to an object (handles, locks). A later append claims it anew. Storages that hold
    /// nothing need not implement it.
    /// </summary>
    /// <param name="key">The object's name.</param>
    /// <param name="cancellationToken">Cancels the wait, not the release.</param>
    ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>
    /// A task that completes when an object may have changed after this call, whoever changed it. It may complete without a change, and a notice may be
    /// lost: whoever waits looks for itself, now and then unasked. It never fails. Only storages with <see cref="StorageCapabilities.Notify"/> need implement it.
    /// </summary>
    Task NextChangeAsync() => StorageChanges.None;
}
