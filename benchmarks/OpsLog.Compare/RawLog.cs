using System.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace OpsLog.Compare;

/// <summary>What any log has to do at least: bytes behind the last ones of a file.</summary>
internal sealed class RawLog(string path) : IDisposable
{
    private readonly SafeFileHandle _file = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite);
    private long _length;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_file, bytes, _length);
        _length += bytes.Length;
    }

    /// <summary>The bytes at the end.</summary>
    public int ReadLast(Span<byte> into) => RandomAccess.Read(_file, into, _length - into.Length);

    public void Sync() => RandomAccess.FlushToDisk(_file);

    public void Dispose()
    {
        _file.Dispose();
        File.Delete(path);
    }
}

/// <summary>The plain way to share syncs: one thread takes what waits, writes each, syncs once, and completes them.</summary>
internal sealed class SharedSyncLog : IDisposable
{
    private readonly RawLog _log;
    private readonly System.Collections.Concurrent.BlockingCollection<TaskCompletionSource> _waiting = [];
    private readonly byte[] _line;
    private readonly Thread _thread;

    public SharedSyncLog(string path, int lineBytes)
    {
        _log = new RawLog(path);
        _line = new byte[lineBytes];
        _thread = new Thread(Run);
        _thread.Start();
    }

    public long Syncs { get; private set; }

    /// <summary>The time spent writing and syncing.</summary>
    public TimeSpan Appending { get; private set; }

    public Task WriteAsync()
    {
        var completion = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting.Add(completion);
        return completion.Task;
    }

    public void Dispose()
    {
        _waiting.CompleteAdding();
        _thread.Join();
        _log.Dispose();
        _waiting.Dispose();
    }

    private void Run()
    {
        var group = new List<TaskCompletionSource>();
        foreach (var first in _waiting.GetConsumingEnumerable())
        {
            group.Add(first);
            while (_waiting.TryTake(out var next)) group.Add(next);
            var start = Stopwatch.GetTimestamp();
            foreach (var _ in group) _log.Write(_line);
            _log.Sync();
            Appending += Stopwatch.GetElapsedTime(start);
            Syncs++;
            foreach (var completion in group) completion.SetResult();
            group.Clear();
        }
    }
}
