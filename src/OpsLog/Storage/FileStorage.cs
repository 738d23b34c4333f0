using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>
/// A folder of one machine, on its disk or on a network file system with working locks: an object is a file, its key the path below the root.
/// </summary>
/// <remarks>
/// <para>Safe for concurrent calls, and for any number of instances and processes on one folder. Whole objects are written under a
/// temporary name, synced, given their name, and their folder synced. Appending claims an object: the storage then holds a lock of the
/// operating system on <c>&lt;object&gt;.lock</c> until <see cref="ReleaseAsync"/> or disposal, or until the process ends. Readers are
/// never kept out. A single writer's log (<c>ops/ops-*.jsonl</c>) also needs the npm package's <c>.lock</c> in the root.</para>
/// <para>No folder is made by reading, and nothing is written through a symbolic link below the root. Lock files, temporary files and
/// anything whose name is not a key are no objects: not listed, not read, never written.</para>
/// <para>A version is the file's length, its modification time in 100 ns and, up to 16 KiB, a checksum of its content; finding it is
/// one look at the file and at most one read of 16 KiB. A read of no bytes is a cheap "has it changed": on a local file system one look, as long
/// as it has not.</para>
/// </remarks>
public sealed partial class FileStorage : IOpsStorage
{
    private const int SmallRead = 256 << 10;

    private readonly string _root;
    private readonly FileStorageOptions _options;
    private readonly FileFolders _folders;
    private readonly FileNonces _nonces;
    private readonly FileLooks _looks;
    private readonly ConcurrentDictionary<StorageKey, FileAppender> _appenders = new();
    private readonly SemaphoreSlim _claiming = new(1, 1);
    private FileAppender? _recent;
    private FileLock? _storeLock;
    private volatile bool _disposed;

    /// <summary>Makes the storage. Touches nothing: the folder is made, with its parents, by the first write.</summary>
    /// <param name="root">The folder. A relative path is taken from the current folder, now.</param>
    /// <param name="options">The settings; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">The path is empty or not a path.</exception>
    public FileStorage(string root, FileStorageOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        options ??= new FileStorageOptions();
        _options = new FileStorageOptions { TimeProvider = options.TimeProvider, Random = options.Random, MapReads = options.MapReads };
        _folders = new FileFolders(_root, _options);
        _nonces = new FileNonces(_options.Random);
        _looks = new FileLooks(_root, _options.TimeProvider);
    }

    /// <summary>The folder, as a full path.</summary>
    public string RootPath => _root;

    /// <inheritdoc/>
    public StorageCapabilities Capabilities => StorageCapabilities.Append | StorageCapabilities.ListIsOrdered | StorageCapabilities.HoldsWriters;

    /// <inheritdoc/>
    /// <remarks>
    /// Up to 256 KiB come as an array; more, up to 1 GiB, as mapped memory where <see cref="FileStorageOptions.MapReads"/> allows it; else
    /// as a stream. Completes synchronously.
    /// </remarks>
    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        StorageGuard.RequireName(key);
        StorageGuard.RequireRange(range);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<StoredObject?>(cancellationToken);
        try
        {
            if (range.Length == 0 && _looks.Find(key) is { } known) return new(known);
            if (FileNames.RelativePath(key) is not { } relative) return default;
            var path = Path.Join(_root, relative);
            return new(range.Length == 0 ? Look(key, path, range) : Read(key, path, range));
        }
        catch (StorageException e)
        {
            return ValueTask.FromException<StoredObject?>(e);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            return ValueTask.FromException<StoredObject?>(FileFaults.Translate(e, "read", Path.Join(_root, FileNames.RelativePath(key))));
        }
    }

    /// <inheritdoc/>
    /// <remarks>Reads the whole listing before the first entry. Symbolic links to folders are not followed.</remarks>
    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        await ValueTask.CompletedTask.ConfigureAwait(false);
        var entries = new List<StorageEntry>();
        var slash = prefix.Value.LastIndexOf('/');
        var folder = slash < 0 ? "" : prefix.Value[..slash];
        if (folder.Length == 0) Collect(_root, "", prefix.Value, entries, cancellationToken);
        else if (FileNames.RelativePath(new StorageKey(folder)) is { } relative)
            Collect(Path.Join(_root, relative), folder + "/", prefix.Value, entries, cancellationToken);
        entries.Sort((left, right) => left.Key.CompareTo(right.Key));
        foreach (var entry in entries)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (after is null || entry.Key > after.Value) yield return entry;
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// What another living writer appends to is not deleted: <see cref="StorageFault.Unavailable"/>. What this storage appends to is released first.
    /// </remarks>
    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        StorageGuard.RequireName(key);
        cancellationToken.ThrowIfCancellationRequested();
        if (FileNames.RelativePath(key) is not { } relative) return;
        var path = Path.Join(_root, relative);
        try
        {
            if (!Path.Exists(path) && new FileInfo(path).LinkTarget is null) return;
            _folders.RefuseLinks(path);
            await ReleaseAsync(key, cancellationToken).ConfigureAwait(false);
            using var claim = await TakeObjectLockAsync(path, cancellationToken).ConfigureAwait(false)
                ?? throw new StorageException(
                    StorageFault.Unavailable,
                    $"'{key}' is not deleted: a living writer appends to it. {FileLock.Describe(path + FileNames.LockSuffix)}");
            File.Delete(path);
            FileFolders.SyncFolderOf(path);
        }
        catch (Exception e) when (FileFaults.IsAbsent(e))
        {
            // Gone meanwhile, with its folder perhaps: that is what was asked for.
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw FileFaults.Translate(e, "delete", path, outcomeUnknown: true);
        }
    }

    /// <summary>Releases everything this storage appends to. Reads handed out before stay valid.</summary>
    public async ValueTask DisposeAsync()
    {
        await _claiming.WaitAsync().ConfigureAwait(false);
        try
        {
            _disposed = true;
            foreach (var appender in _appenders.Values) Release(appender);
        }
        finally
        {
            _claiming.Release();
        }
    }

    // A read of no bytes: asks whether there is something new.
    private StoredObject? Look(StorageKey key, string path, ByteRange range)
    {
        var before = _appenders.ContainsKey(key) ? null : _looks.Before(path);
        var found = Read(key, path, range);
        if (before is not null && found is not null) _looks.Keep(key, before, found);
        return found;
    }

    private StoredObject? Read(StorageKey key, string path, ByteRange range)
    {
        if (_appenders.TryGetValue(key, out var appender) && appender.OpenFile is { } open && TryReadOpen(open, path, range) is { } found)
            return found;
        var handle = FileBytes.Open(path);
        if (handle is null) return null;
        var keep = false;
        try
        {
            var length = RandomAccess.GetLength(handle);
            var (offset, count) = StorageGuard.Cut(range, length);
            if (length <= SmallRead || count <= SmallRead) return ReadSmall(handle, path, length, offset, (int)count);
            var version = FileVersion.Of(handle, length, null);
            var mapped = _options.MapReads && count <= MappedMemory.MaxLength && IsImmutable(key) ? new MappedMemory(handle, offset, (int)count) : null;
            keep = true;
            var content = new FileRangeStream(handle, path, offset, count);
            return mapped is null ? new StoredObject(content, length, version) : new StoredObject(mapped, content, length, version);
        }
        finally
        {
            if (!keep) handle.Dispose();
        }
    }

    // The file that is being appended to is open already; it may be closed at any moment, and then is opened as any other.
    private static StoredObject? TryReadOpen(SafeFileHandle handle, string path, ByteRange range)
    {
        try
        {
            var length = RandomAccess.GetLength(handle);
            var (offset, count) = StorageGuard.Cut(range, length);
            return count <= SmallRead ? ReadSmall(handle, path, length, offset, (int)count) : null;
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    private static StoredObject ReadSmall(SafeFileHandle handle, string path, long length, long offset, int count)
    {
        if (length > FileVersion.ChecksumLimit)
            return new StoredObject(FileBytes.Read(handle, path, offset, count), length, FileVersion.Of(handle, length, null));
        var all = FileBytes.Read(handle, path, 0, (int)length);
        return new StoredObject(all.AsMemory((int)offset, count), length, FileVersion.Of(handle, length, all));
    }

    /// <summary>Whether an object is only ever replaced whole, never appended to: only then may its file be mapped.</summary>
    private static bool IsImmutable(StorageKey key) =>
        key.Value.StartsWith("snapshots/", StringComparison.Ordinal) || key.Value.StartsWith("archive/", StringComparison.Ordinal);

    private static void Collect(string folder, string path, string prefix, List<StorageEntry> entries, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var item in new DirectoryInfo(folder).EnumerateFileSystemInfos())
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!FileNames.TryPart(item.Name, out var part) || !StorageKey.IsValid(path + part)) continue;
                var name = path + part;
                if (item is DirectoryInfo)
                {
                    var inside = name + "/";
                    var wanted = inside.StartsWith(prefix, StringComparison.Ordinal) || prefix.StartsWith(inside, StringComparison.Ordinal);
                    if (wanted && item.LinkTarget is null) Collect(item.FullName, inside, prefix, entries, cancellationToken);
                }
                else if (name.StartsWith(prefix, StringComparison.Ordinal) && item is FileInfo { Exists: true } file)
                {
                    entries.Add(new StorageEntry(new StorageKey(name), file.Length, file.LastWriteTimeUtc));
                }
            }
        }
        catch (Exception e) when (FileFaults.IsAbsent(e))
        {
            // No such folder holds no objects; one that goes away while it is listed holds none any more.
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw FileFaults.Translate(e, "list", folder);
        }
    }
}
