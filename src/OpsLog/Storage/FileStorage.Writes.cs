using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

public sealed partial class FileStorage
{
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LockPause = TimeSpan.FromMilliseconds(2);
    private const int LockYields = 50;
    private const int LockLooks = 32;   // before the pause between two is doubled
    private const int LockDoublings = 4;
    private const long LongestStep = TimeSpan.TicksPerSecond * 100;

    private readonly Lock _stamping = new();
    private DateTime _lastStamp;

    /// <summary>Called behind each rename. For tests: a file system that has renamed, and says that it failed.</summary>
    internal Action<string>? Renamed { get; set; }

    /// <summary>Gives a file its time. For tests: a file system that keeps coarser ones.</summary>
    internal Action<SafeFileHandle, DateTime> SetTime { get; set; } = File.SetLastWriteTimeUtc;

    /// <summary>Brings a file onto stable storage. For tests: a medium that fails.</summary>
    internal Action<SafeFileHandle, string> Sync { get; set; } = FileBytes.Sync;

    /// <inheritdoc/>
    /// <remarks>
    /// A put that replaces waits up to 5 seconds for another put of the object; an object that someone else appends to is <see cref="PutOutcome.Held"/>.
    /// </remarks>
    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        StorageGuard.RequireName(key);
        ArgumentNullException.ThrowIfNull(content);
        cancellationToken.ThrowIfCancellationRequested();
        var path = PathToWrite(key);
        try
        {
            if (Refusal(path, condition) is { } refusal) return refusal;
            _folders.Prepare(path);
            using var file = TemporaryFile.Create(path, _nonces, FileShare.ReadWrite | FileShare.Delete);
            await file.WriteAsync(content, cancellationToken).ConfigureAwait(false);
            SetTime(file.Handle, NextStamp(DateTime.MinValue));
            Sync(file.Handle, file.Path);
            cancellationToken.ThrowIfCancellationRequested();
            if (condition.Kind == PutConditionKind.IfAbsent)
            {
                switch (Place(file, path))
                {
                    case LinkResult.Exists: return new PutResult(PutOutcome.Conflict, Detail: "The object exists.");
                    case LinkResult.Linked: return Stored(file, path);
                }
            }

            return await ReplaceAsync(key, path, file, condition, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw FileFaults.Translate(e, "write", path);
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The first append, also one of no bytes, claims the object: it takes the lock and checks the length. From then on an append is one
    /// write (and one sync): it completes synchronously and allocates nothing. After a failure the claim stays, and the length is read
    /// again by the next append.
    /// </remarks>
    public ValueTask<PutResult> AppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<PutResult>(cancellationToken);
        var appender = _recent;
        if (appender is null || appender.Key != key) _appenders.TryGetValue(key, out appender);
        if (appender is not null)
        {
            try
            {
                if (appender.TryAppend(bytes.Span, expectedLength, flush) is { } result)
                {
                    _recent = appender;
                    return new(result);
                }
            }
            catch (StorageException e)
            {
                return ValueTask.FromException<PutResult>(e);
            }
        }

        StorageGuard.RequireName(key);
        return ClaimAndAppendAsync(key, bytes, expectedLength, flush, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken)
    {
        if (!_appenders.ContainsKey(key)) return;
        await _claiming.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_appenders.TryGetValue(key, out var appender)) Release(appender);
        }
        finally
        {
            _claiming.Release();
        }
    }

    private async ValueTask<PutResult> ClaimAndAppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        var path = PathToWrite(key);
        await _claiming.WaitAsync(cancellationToken).ConfigureAwait(false);
        FileAppender? taken = null;
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _folders.RefuseLinks(path);
            if (!_appenders.TryGetValue(key, out var appender))
            {
                using (var found = FileBytes.Open(path))
                    if (found is null) return new PutResult(PutOutcome.Conflict, Detail: "There is no such object.");
                (taken, var holder) = await ClaimAsync(key, path, cancellationToken).ConfigureAwait(false);
                if (taken is null) return new PutResult(PutOutcome.Held, Detail: holder);
                appender = taken;
            }

            while (appender.TryOpen())
            {
                if (appender.TryAppend(bytes.Span, expectedLength, flush) is not { } result) continue; // replaced this very moment
                if (result.IsStored) taken = null;
                return result;
            }

            return new PutResult(PutOutcome.Conflict, Detail: "There is no such object.");
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw FileFaults.Translate(e, "append to", path);
        }
        finally
        {
            // A claim whose first append did not succeed claims nothing.
            if (taken is not null) Release(taken);
            _claiming.Release();
        }
    }

    private async ValueTask<(FileAppender? Appender, string? Holder)> ClaimAsync(StorageKey key, string path, CancellationToken cancellationToken)
    {
        var lockPath = path + FileNames.LockSuffix;
        var claim = FileLock.TryTake(lockPath, _nonces);
        if (claim is null) return (null, FileLock.Describe(lockPath));
        var usesStoreLock = IsSingleWriterLog(key);
        try
        {
            if (usesStoreLock && _storeLock is null)
            {
                (_storeLock, var holder) = await StoreLock
                    .TakeAsync(Path.Join(_root, StoreLock.FileName), _nonces, _options.TimeProvider, cancellationToken).ConfigureAwait(false);
                if (_storeLock is null)
                {
                    claim.Dispose();
                    return (null, holder);
                }
            }
        }
        catch
        {
            claim.Dispose();
            throw;
        }

        var appender = new FileAppender(key, path, claim, usesStoreLock, Sync);
        _appenders[key] = appender;
        return (appender, null);
    }

    // Under the claiming semaphore.
    private void Release(FileAppender appender)
    {
        _appenders.TryRemove(appender.Key, out _);
        if (ReferenceEquals(_recent, appender)) _recent = null;
        appender.Dispose();
        if (!appender.UsesStoreLock || _appenders.Values.Any(other => other.UsesStoreLock)) return;
        _storeLock?.Dispose();
        _storeLock = null;
    }

    // The object may be there: its lock keeps others from replacing it or appending to it between the look and the rename.
    private async ValueTask<PutResult> ReplaceAsync(
        StorageKey key, string path, TemporaryFile file, PutCondition condition, CancellationToken cancellationToken)
    {
        if (_appenders.TryGetValue(key, out var appender))
        {
            // Ours to append to, so the lock is held already.
            var refused = default(PutResult?);
            var replaced = appender.TryReplace(() =>
            {
                refused = PrepareReplacement(path, file, condition);
                if (refused is null) Replace(file, path);
            });
            if (replaced) return refused ?? Stored(file, path);
        }

        using (var claim = await TakeObjectLockAsync(path, cancellationToken).ConfigureAwait(false))
        {
            if (claim is null) return new PutResult(PutOutcome.Held, Detail: FileLock.Describe(path + FileNames.LockSuffix));
            if (PrepareReplacement(path, file, condition) is { } refusal) return refusal;
            await ReplaceAsync(file, path).ConfigureAwait(false);
        }

        return Stored(file, path); // the sync, outside the lock: nobody waits for the disk
    }

    private static LinkResult Place(TemporaryFile file, string path)
    {
        try
        {
            return file.TryPlace(path);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw RenameFailed(e, path);
        }
    }

    private void Replace(TemporaryFile file, string path)
    {
        try
        {
            File.Move(file.Path, path, overwrite: true);
            Renamed?.Invoke(path);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw RenameFailed(e, path);
        }
    }

    private async ValueTask ReplaceAsync(TemporaryFile file, string path)
    {
        try
        {
            await file.ReplaceAsync(path, _options.TimeProvider).ConfigureAwait(false);
            Renamed?.Invoke(path);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw RenameFailed(e, path);
        }
    }

    // The server of a network file system may have renamed the file, and only its answer is lost. Windows refuses what somebody has open: nothing has happened then.
    private static StorageException RenameFailed(Exception e, string path)
    {
        var isInUse = OperatingSystem.IsWindows() && (e is UnauthorizedAccessException || (e is IOException io && FileFaults.IsLockedElsewhere(io)));
        return FileFaults.Translate(e, "write", path, outcomeUnknown: !isInUse);
    }

    private PutResult? PrepareReplacement(string path, TemporaryFile file, PutCondition condition)
    {
        if (Refusal(path, condition) is { } refusal) return refusal;
        var replaced = File.GetLastWriteTimeUtc(path);
        // Where the file system keeps times in coarse steps (whole seconds, or two), the next one is some way off.
        for (var step = 1L; step <= LongestStep && File.GetLastWriteTimeUtc(file.Handle) <= replaced; step *= step < TimeSpan.TicksPerSecond ? 10 : 2)
            SetTime(file.Handle, step == 1 ? NextStamp(replaced) : replaced.AddTicks(step));
        return null;
    }

    private static PutResult? Refusal(string path, PutCondition condition)
    {
        switch (condition.Kind)
        {
            case PutConditionKind.IfAbsent when Path.Exists(path):
                return new PutResult(PutOutcome.Conflict, Detail: "The object exists.");
            case PutConditionKind.IfVersion:
                using (var handle = FileBytes.Open(path))
                {
                    if (handle is null) return new PutResult(PutOutcome.Conflict, Detail: "There is no such object.");
                    var found = FileVersion.Of(handle, path);
                    return found == condition.Version ? null : new PutResult(PutOutcome.Conflict, Detail: $"The object has version {found}.");
                }

            default:
                return null;
        }
    }

    // The object has its new content for everyone from here on; only its name may not be durable.
    private static PutResult Stored(TemporaryFile file, string path)
    {
        file.DropName();
        try
        {
            FileFolders.SyncFolderOf(path);
            return new PutResult(PutOutcome.Stored, FileVersion.Of(file.Handle, path));
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw FileFaults.Translate(e, "look at", path, outcomeUnknown: true);
        }
    }

    /// <summary>Waits a bounded time for the lock of an object: puts hold it for moments, appenders for long.</summary>
    // It is held for a look and a rename: who holds it longer may have been stopped, and nobody gets on by looking at it hundreds of times a second.
    private async ValueTask<FileLock?> TakeObjectLockAsync(string path, CancellationToken cancellationToken)
    {
        var started = _options.TimeProvider.GetTimestamp();
        for (var attempt = 0; ; attempt++)
        {
            if (FileLock.TryTake(path + FileNames.LockSuffix, _nonces) is { } taken) return taken;
            if (attempt < LockYields) await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // to no context of the caller's
            else if (_options.TimeProvider.GetElapsedTime(started) >= LockPatience) return null;
            else await Task.Delay(LockPause * (1 << Math.Min((attempt - LockYields) / LockLooks, LockDoublings)), _options.TimeProvider, cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>A time for a file written whole: the clock's, but always later than the one before and than the file it replaces.</summary>
    private DateTime NextStamp(DateTime replaced)
    {
        lock (_stamping)
        {
            var now = _options.TimeProvider.GetUtcNow().UtcDateTime;
            var least = (replaced > _lastStamp ? replaced : _lastStamp).AddTicks(1);
            return _lastStamp = now > least ? now : DateTime.SpecifyKind(least, DateTimeKind.Utc);
        }
    }

    private string PathToWrite(StorageKey key) => Path.Join(
        _root,
        FileNames.RelativePath(key)
        ?? throw new StorageException(
            StorageFault.BadName, $"'{key}' can't be an object: names ending in '.lock', and temporary ones, are the storage's own."));

    /// <summary>The log of a single writer, which the npm package guards by the lock file of the whole store.</summary>
    private static bool IsSingleWriterLog(StorageKey key) =>
        key.Value.StartsWith("ops/ops-", StringComparison.Ordinal) && key.Value.EndsWith(".jsonl", StringComparison.Ordinal)
        && key.Value.IndexOf('/', "ops/".Length) < 0;
}
