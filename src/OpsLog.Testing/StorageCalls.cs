namespace OpsLog.Testing;

/// <summary>The verbs of a storage, to choose and count calls by.</summary>
[Flags]
public enum StorageCalls
{
    /// <summary>No call.</summary>
    None = 0,

    /// <summary><see cref="IOpsStorage.ReadAsync"/>.</summary>
    Read = 1,

    /// <summary><see cref="IOpsStorage.PutAsync"/>.</summary>
    Put = 2,

    /// <summary><see cref="IOpsStorage.AppendAsync"/>.</summary>
    Append = 4,

    /// <summary><see cref="IOpsStorage.ListAsync"/>, counted when the listing starts.</summary>
    List = 8,

    /// <summary><see cref="IOpsStorage.DeleteAsync"/>.</summary>
    Delete = 16,

    /// <summary><see cref="IOpsStorage.ReleaseAsync"/>.</summary>
    Release = 32,

    /// <summary>Every call that changes something stored.</summary>
    Writes = Put | Append | Delete,

    /// <summary>Every call.</summary>
    All = Read | Put | Append | List | Delete | Release,
}

/// <summary>When, within a call, something goes wrong.</summary>
public enum FaultMoment
{
    /// <summary>Before the call has done anything.</summary>
    Before,

    /// <summary>
    /// In the middle: an append leaves a part of its bytes. Puts and deletes are atomic: they have happened or not, as the seed decides.
    /// </summary>
    During,

    /// <summary>After the call has taken full effect: only its answer is lost.</summary>
    After,
}
