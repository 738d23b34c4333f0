namespace OpsLog.Storage;

/// <summary>The settings of a <see cref="FileStorage"/>. Read once, when the storage is made.</summary>
public sealed class FileStorageOptions
{
    /// <summary>
    /// The clock: for waiting on a lock file, for the age of leftovers, and for the modification time of files written whole. Default: the system's.
    /// </summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>
    /// Where the random part of temporary names comes from, so that a run can be replayed; used under a lock. Default:
    /// <see langword="null"/>, the system's random number generator.
    /// </summary>
    public Random? Random { get; set; }

    /// <summary>
    /// Whether reads of 256 KiB to 1 GiB under <c>snapshots/</c> and <c>archive/</c> are handed out as mapped memory. Faster, and shared
    /// between processes; but a medium that fails under a mapping ends the process instead of raising an exception. Default: true.
    /// </summary>
    public bool MapReads { get; set; } = true;
}
