namespace OpsLog.Storage;

/// <summary>The folders of a store on disk: made durably, never left through a symbolic link, and swept of what dead processes left.</summary>
internal sealed class FileFolders(string root, FileStorageOptions options)
{
    /// <summary>How old a temporary file must be, beside having no living owner, before it is deleted.</summary>
    private static readonly TimeSpan LeftoverAge = TimeSpan.FromHours(1);

    private readonly HashSet<string> _swept = new(StringComparer.Ordinal);

    /// <summary>Makes the folder of a file that is to be written, with its parents.</summary>
    public void Prepare(string path)
    {
        RefuseLinks(path);
        var folder = Path.GetDirectoryName(path)!;
        Create(folder);
        lock (_swept)
            if (!_swept.Add(folder)) return;
        Sweep(folder);
    }

    /// <summary>
    /// Refuses a path that goes through a symbolic link below the root: writing there could end anywhere. The root itself may be one.
    /// </summary>
    public void RefuseLinks(string path)
    {
        for (var part = path; part.Length > root.Length; part = Path.GetDirectoryName(part)!)
            if (new FileInfo(part).LinkTarget is not null)
                throw new StorageException(
                    StorageFault.BadName,
                    $"'{part}' is a symbolic link. Nothing is written through links below a store's root; replace it by the file or folder itself.");
    }

    /// <summary>Makes the names in a file's folder durable.</summary>
    /// <exception cref="StorageException">It cannot: the medium counts as broken.</exception>
    public static void SyncFolderOf(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        var folder = Path.GetDirectoryName(path)!;
        try
        {
            UnixFiles.SyncFolder(folder);
        }
        catch (Exception e) when (FileFaults.IsFault(e) && !FileFaults.IsAbsent(e))
        {
            throw FileFaults.SyncFailed(e, folder);
        }
    }

    private static void Create(string folder)
    {
        if (Directory.Exists(folder)) return;
        if (Path.GetDirectoryName(folder) is { } parent) Create(parent);
        Directory.CreateDirectory(folder);
        SyncFolderOf(folder);
    }

    private void Sweep(string folder)
    {
        var now = options.TimeProvider.GetUtcNow();
        foreach (var path in Directory.EnumerateFiles(folder, ".*" + FileNames.TemporarySuffix))
        {
            if (!FileNames.IsTemporary(Path.GetFileName(path.AsSpan())) || now - File.GetLastWriteTimeUtc(path) < LeftoverAge) continue;
            TryRemove(path);
        }
    }

    private static void TryRemove(string path)
    {
        try
        {
            // A living owner keeps its file open, so that this fails.
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None);
            File.Delete(path);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            // A leftover is in nobody's way: it is left for another time, or for whoever may delete it.
        }
    }
}
