using System.Runtime.CompilerServices;
using OpsLog.Storage;

namespace OpsLog.Simulation.Run;

/// <summary>A storage without objects: it notes the call that is made, and whoever records says what it is answered.</summary>
internal sealed class RecordingStorage(StorageCapabilities capabilities) : IOpsStorage
{
    private readonly List<StorageKey> _released = [];
    private readonly List<RecordedCall> _made = [];
    private readonly Queue<TaskCompletionSource<object?>> _waiting = new(); // continuations run where the answer is given

    public StorageCapabilities Capabilities => capabilities;

    /// <summary>Whether a call waits for its answer.</summary>
    public bool Waits => _waiting.Count > 0;

    /// <summary>Answers the call that waits longest: its caller's code runs on until it waits for something else.</summary>
    /// <param name="answer">The answer, or the failure.</param>
    public void Answer(object? answer)
    {
        var waiting = _waiting.Dequeue();
        if (answer is StorageException failure) waiting.SetException(failure);
        else waiting.SetResult(answer is StoredObject found ? new StoredObject(found.Memory!.Value, found.Length, found.Version) : answer);
    }

    /// <summary>The locks that were given up since this was asked last, and the calls that were made.</summary>
    public (IReadOnlyList<StorageKey> Releases, IReadOnlyList<RecordedCall> Calls) Take()
    {
        (StorageKey[] Releases, RecordedCall[] Calls) taken = ([.. _released], [.. _made]);
        _released.Clear();
        _made.Clear();
        return taken;
    }

    public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) =>
        (StoredObject?)await Park(new RecordedCall.Read(key, range)).ConfigureAwait(false);

    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        content.CopyTo(bytes);
        return (PutResult)(await Park(new RecordedCall.Put(key, bytes.ToArray(), condition)).ConfigureAwait(false))!;
    }

    public async ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
        (PutResult)(await Park(new RecordedCall.Append(key, bytes.ToArray(), expectedLength, flush)).ConfigureAwait(false))!;

    public async IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var found = (List<StorageEntry>)(await Park(new RecordedCall.List(prefix, after)).ConfigureAwait(false))!;
        foreach (var entry in found) yield return entry;
    }

    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => await Park(new RecordedCall.Delete(key)).ConfigureAwait(false);

    public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken)
    {
        _released.Add(key);
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Task<object?> Park(RecordedCall call)
    {
        _made.Add(call);
        var answer = new TaskCompletionSource<object?>();
        _waiting.Enqueue(answer);
        return answer.Task;
    }
}
