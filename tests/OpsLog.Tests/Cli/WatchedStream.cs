using System.Text;

namespace OpsLog.Tests.Cli;

/// <summary>Output that can be waited for.</summary>
internal sealed class WatchedStream : MemoryStream
{
    private readonly StringBuilder _text = new();
    private readonly List<(string Text, TaskCompletionSource Seen)> _waiting = [];

    public Task ContainsAsync(string text)
    {
        lock (_text)
        {
            var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((text, seen));
            Complete();
            return seen.Task;
        }
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        lock (_text)
        {
            _text.Append(Encoding.UTF8.GetString(buffer, offset, count));
            Complete();
        }
    }

    private void Complete()
    {
        var text = _text.ToString();
        foreach (var (wanted, seen) in _waiting)
            if (text.Contains(wanted, StringComparison.Ordinal)) seen.TrySetResult();
    }
}
