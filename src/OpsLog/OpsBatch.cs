namespace OpsLog;

/// <summary>
/// Collects the operations of a batch. Handed to the function of <see cref="OpsStore{T}.BatchAsync(Action{OpsBatch{T}}, CancellationToken)"/>
/// and of use only while that runs. Not thread-safe.
/// </summary>
/// <typeparam name="T">The document type.</typeparam>
public sealed class OpsBatch<T>
{
    private readonly Action<string, T> _set;
    private readonly Action<string> _delete;
    private bool _sealed;

    internal OpsBatch(Action<string, T> set, Action<string> delete) => (_set, _delete) = (set, delete);

    /// <summary>Sets a record as part of the batch.</summary>
    /// <exception cref="ArgumentException">The id is empty or no valid text.</exception>
    /// <exception cref="OpsLogException">The value cannot be stored (<see cref="OpsLogError.InvalidDocument"/>).</exception>
    /// <exception cref="InvalidOperationException">The batch's function has ended.</exception>
    public void Set(string id, T value)
    {
        ThrowIfSealed();
        _set(id, value);
    }

    /// <summary>Deletes a record as part of the batch. Nothing happens if it is absent by then.</summary>
    /// <exception cref="ArgumentException">The id is empty or no valid text.</exception>
    /// <exception cref="InvalidOperationException">The batch's function has ended.</exception>
    public void Delete(string id)
    {
        ThrowIfSealed();
        _delete(id);
    }

    internal void Seal() => _sealed = true;

    private void ThrowIfSealed()
    {
        if (_sealed) throw new InvalidOperationException("The batch has ended: its operations must be added before its function returns.");
    }
}
