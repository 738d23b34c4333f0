using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>
/// An object that this storage has claimed to append to: the lock beside it, and the open file with the length it is known to have. While
/// the lock is held nobody else appends, so an append is one write. After any failure the file is closed and its length no longer known.
/// </summary>
internal sealed class FileAppender(StorageKey key, string path, FileLock claim, bool usesStoreLock, Action<SafeFileHandle, string> sync) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Lock _syncing = new(); // taken last
    private SafeFileHandle? _failed; // the file of which a sync failed
    private SafeFileHandle? _file;
    private long _length;
    private bool _released;

    public StorageKey Key => key;

    public bool UsesStoreLock => usesStoreLock;

    /// <summary>The open file, for reading beside the appends; null if it is closed.</summary>
    public SafeFileHandle? OpenFile => Volatile.Read(ref _file);

    /// <summary>Opens the file if it is not open; false if there is none.</summary>
    public bool TryOpen()
    {
        lock (_lock)
        {
            if (_file is not null) return true;
            if (_released) return false;
            SafeFileHandle file;
            try
            {
                file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            }
            catch (Exception e) when (FileFaults.IsAbsent(e))
            {
                return false;
            }

            try
            {
                _length = RandomAccess.GetLength(file);
            }
            catch
            {
                file.Dispose();
                throw;
            }

            _file = file;
            return true;
        }
    }

    /// <summary>Appends if the file is open; null if it is closed and has to be opened first.</summary>
    public PutResult? TryAppend(ReadOnlySpan<byte> bytes, long expectedLength, Flush flush)
    {
        SafeFileHandle? synced = null;
        lock (_lock)
        {
            if (_file is null) return null;
            if (_length != expectedLength)
                return new PutResult(PutOutcome.Conflict, Detail: $"The object is {_length} bytes long, not {expectedLength}.");
            if (bytes.IsEmpty && flush == Flush.Synced) synced = _file;
            try
            {
                if (!bytes.IsEmpty)
                {
                    RandomAccess.Write(_file, bytes, _length);
                    _length += bytes.Length;
                }

            }
            catch (Exception e) when (FileFaults.IsFault(e))
            {
                var untouched = !bytes.IsEmpty && _length == expectedLength && IsStill(expectedLength);
                Close();
                throw FileFaults.Translate(e, "append to", path, outcomeUnknown: !untouched);
            }

            if (flush == Flush.Synced && synced is null)
            {
                try
                {
                    Sync(_file);
                }
                catch (StorageException)
                {
                    Close();
                    throw;
                }
            }
        }

        // A sync alone holds up no append beside it but those that sync as well.
        return synced is null ? default(PutResult) : SyncBeside(synced);
    }

    /// <summary>
    /// Runs an action that puts another file at the path, or none; what was open is then not the object any more. False, and nothing
    /// done, if the claim has been given up.
    /// </summary>
    public bool TryReplace(Action action)
    {
        lock (_lock)
        {
            if (_released) return false;
            Close();
            action();
            return true;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _released = true;
            Close();
            claim.Dispose();
        }
    }

    private PutResult SyncBeside(SafeFileHandle file)
    {
        try
        {
            Sync(file);
            return default;
        }
        catch (ObjectDisposedException)
        {
            return new PutResult(PutOutcome.Conflict, Detail: "An append beside the sync has failed.");
        }
        catch (StorageException)
        {
            lock (_lock)
                if (ReferenceEquals(_file, file)) Close();
            throw;
        }
    }

    // One at a time: the system tells of a failure once for each open file, and a sync beside the one that is told would count as done.
    private void Sync(SafeFileHandle file)
    {
        lock (_syncing)
        {
            if (ReferenceEquals(_failed, file)) throw FileFaults.SyncFailed(new IOException("A sync of it has just failed."), path);
            try
            {
                sync(file, path);
            }
            catch (Exception e) when (FileFaults.IsFault(e))
            {
                _failed = file;
                throw FileFaults.SyncFailed(e, path);
            }
        }
    }

    private void Close()
    {
        _file?.Dispose();
        Volatile.Write(ref _file, null);
    }

    // A write that failed (no room) has often written nothing; only a length that can be read says so.
    private bool IsStill(long length)
    {
        try
        {
            return RandomAccess.GetLength(_file!) == length;
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            return false;
        }
    }
}
