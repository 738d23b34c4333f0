using System.Collections.Concurrent;

namespace OpsLog.Storage;

/// <summary>
/// What reads of no bytes gave. As long as a file's length and times are the same, so is the answer: "has it changed" then costs one system call and no
/// memory. Where that cannot be told from a look (on Windows, whose folders learn of a growing file's length late; on network file systems, which show
/// what they remember), nothing is kept. Safe for concurrent calls.
/// </summary>
internal sealed class FileLooks(string root, TimeProvider time)
{
    private const int Most = 1024;

    // A file may change twice within one tick of its file system's clock, some of which keep whole seconds.
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_wholeSecondTick = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<StorageKey, Look> _looks = new();
    private readonly Lazy<bool> _canTell = new(() => !OperatingSystem.IsWindows() && new DriveInfo(root).DriveType is DriveType.Fixed or DriveType.Ram);

    /// <summary>The answer that was given before, if the file still looks as it did.</summary>
    public StoredObject? Find(StorageKey key)
    {
        if (!_looks.TryGetValue(key, out var look)) return null;
        if (look.IsSame()) return look.Answer;
        _looks.TryRemove(key, out _);
        return null;
    }

    /// <summary>Looks at a file before it is read, for <see cref="Keep"/>; null where there is no use in it.</summary>
    public FileInfo? Before(string path)
    {
        if (!_canTell.Value) return null;
        var file = new FileInfo(path);
        return file.Exists ? file : null;
    }

    /// <summary>Keeps an answer, unless the file may change again and look the same.</summary>
    /// <param name="key">The object.</param>
    /// <param name="before">The file as it was before it was read: what changed since shows at the next look.</param>
    /// <param name="answer">What the read of no bytes gave.</param>
    public void Keep(StorageKey key, FileInfo before, StoredObject answer)
    {
        var changed = before.LastWriteTimeUtc;
        var tick = changed.Ticks % TimeSpan.TicksPerSecond == 0 ? s_wholeSecondTick : s_tick;
        if (before.Length != answer.Length || time.GetUtcNow().UtcDateTime - changed < tick) return;
        if (_looks.Count >= Most) _looks.Clear();
        _looks[key] = new Look(before, answer);
    }

    private sealed class Look(FileInfo file, StoredObject answer)
    {
        private readonly (long Length, DateTime Changed, DateTime Made) _seen = (file.Length, file.LastWriteTimeUtc, file.CreationTimeUtc);

        public StoredObject Answer => answer;

        public bool IsSame()
        {
            lock (file)
            {
                file.Refresh();
                return file.Exists && (file.Length, file.LastWriteTimeUtc, file.CreationTimeUtc) == _seen;
            }
        }
    }
}
