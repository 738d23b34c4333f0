using OpsLog.Storage;

namespace OpsLog.Simulation.Disk;

/// <summary>
/// A real storage on which every call happens as well, at the same moment. It must answer as the simulated disk does, and its answer is what the process gets; versions
/// and times stay the simulated ones, so that a run goes the same way each time.
/// </summary>
internal interface IDiskMirror
{
    StorageCapabilities Capabilities { get; }

    StoredObject? Read(StorageCall call, ByteRange range, StoredObject? expected);

    /// <param name="call">Who puts what.</param>
    /// <param name="bytes">The object.</param>
    /// <param name="condition">The condition, in the simulated disk's versions.</param>
    /// <param name="expected">What became of it there.</param>
    void Put(StorageCall call, byte[] bytes, PutCondition condition, PutResult expected);

    void Append(StorageCall call, ReadOnlySpan<byte> bytes, long expectedLength, Flush flush, PutResult expected);

    List<StorageEntry> List(StorageCall call, StorageKey? after, List<StorageEntry> expected);

    void Delete(StorageCall call);
}
