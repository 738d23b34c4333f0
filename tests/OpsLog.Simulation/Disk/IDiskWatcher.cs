namespace OpsLog.Simulation.Disk;

/// <summary>Who is told of every change of the stored bytes, at the moment it happens.</summary>
internal interface IDiskWatcher
{
    void Created(SimObject stored, StorageCall call);

    void Replaced(SimObject stored, SimObject before, StorageCall call);

    void Appended(SimObject stored, int from, StorageCall call);

    void Deleted(SimObject stored, StorageCall call);
}
