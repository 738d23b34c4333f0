using OpsLog.Simulation.Run;
using OpsLog.Storage;

namespace OpsLog.Simulation.Disk;

internal enum CallKind
{
    Read,
    Put,
    Append,
    List,
    Delete,
}

/// <summary>
/// A storage call that waits for its turn. What it does happens in one step (<see cref="Apply"/>), and the answer, or a failure instead, is given in
/// another, so that either may be left out.
/// </summary>
internal abstract class StorageCall(SimStorage storage, CallKind kind, StorageKey key, ReadOnlyMemory<byte> content)
{
    private ulong? _intent;

    public SimStorage Storage { get; } = storage;

    public CallKind Kind { get; } = kind;

    public StorageKey Key { get; } = key;

    /// <summary>How many bytes it appends or puts.</summary>
    public int Size => content.Length;

    /// <summary>The steps that its process was at when it was made. One, mostly; of several, any may have made it.</summary>
    public IReadOnlyList<StepRun> Steps { get; } = storage.Process.UnderWay;

    public bool Changes => Kind is CallKind.Put or CallKind.Append or CallKind.Delete;

    /// <summary>It has happened, and its answer is still to come.</summary>
    public bool HasHappened { get; set; }

    /// <summary>Whether it asks for length and version alone.</summary>
    public bool IsLook { get; init; }

    /// <summary>Whether it was such a look, and told of a newer version than its process had ever read or written: all such answers are alike.</summary>
    public bool IsStaleLook { get; set; }

    /// <summary>Lets it happen, or of an append only the first bytes.</summary>
    public abstract void Apply(int bytes = int.MaxValue);

    /// <summary>Answers the caller, whose code runs on until it waits for something else.</summary>
    public abstract void Answer();

    /// <summary>Answers that somebody else is in the middle of changing the object.</summary>
    public abstract void Refuse();

    /// <summary>Whether it was refused because somebody else was first.</summary>
    public abstract bool IsConflict { get; }

    /// <summary>Fails towards the caller.</summary>
    public abstract void Throw(StorageException failure);

    /// <summary>What it has found, in words, once it has happened.</summary>
    public abstract string Result { get; }

    /// <summary>What it is about to do, as one number.</summary>
    public ulong Intent() => _intent ??= Hashing.Of(content.Span, Hashing.Of(Key.Value, (ulong)Kind));

    /// <summary>Which state of the object it has met or made, as one number.</summary>
    public abstract ulong Found();

    public override string ToString() => Kind switch
    {
        CallKind.Read => $"read {Key}",
        CallKind.List => $"list {Key}",
        CallKind.Delete => $"delete {Key}",
        _ => $"{(Kind == CallKind.Put ? "put" : "append")} {Key} ({Size} bytes)",
    };
}

/// <inheritdoc/>
internal sealed class StorageCall<T>(
    SimStorage storage, CallKind kind, StorageKey key, ReadOnlyMemory<byte> content, Func<StorageCall, int, T> effect, Func<T, string> describe)
    : StorageCall(storage, kind, key, content)
{
    // Continuations run where the answer is given: on the simulator's thread, at once.
    private readonly TaskCompletionSource<T> _completion = new();
    private T _result = default!;

    public Task<T> Task => _completion.Task;

    public override string Result => describe(_result);

    public override ulong Found() => _result switch
    {
        StoredObject or PutResult { IsStored: true } => Storage.StateOf(Key.Value),
        List<StorageEntry> entries => entries.Aggregate(0UL, (hash, entry) => Hashing.Add(hash, Hashing.Of(entry.Key.Value, (ulong)entry.Length))),
        bool => 0, // who deletes is not told whether there was anything
        _ => Hashing.Of(Result),
    };

    public override void Apply(int bytes = int.MaxValue) => _result = effect(this, bytes);

    public override void Answer()
    {
        Storage.Process.Observe(this, failed: false);
        _completion.SetResult(_result);
    }

    public override void Refuse()
    {
        if (this is StorageCall<PutResult> put) put._result = new PutResult(PutOutcome.Held, Detail: "Another process is replacing the object.");
    }

    public override bool IsConflict => _result is PutResult { Outcome: PutOutcome.Conflict };

    public override void Throw(StorageException failure)
    {
        Storage.Process.Observe(this, failed: true);
        _completion.SetException(failure);
    }
}
