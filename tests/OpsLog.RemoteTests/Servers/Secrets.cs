using System.Collections;
using Microsoft.Extensions.Logging;
using Xunit;

namespace OpsLog.RemoteTests.Servers;

/// <summary>Texts that must not show anywhere.</summary>
internal sealed class Secrets(params string[] secrets)
{
    public void AreNotIn(Exception failure)
    {
        AreNotIn(failure.ToString());
        for (var e = failure; e is not null; e = e.InnerException)
            foreach (DictionaryEntry entry in e.Data) AreNotIn($"{entry.Key} {entry.Value}");
    }

    public void AreNotIn(string text)
    {
        foreach (var secret in secrets)
        {
            Assert.DoesNotContain(secret, text, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(Uri.EscapeDataString(secret), text, StringComparison.OrdinalIgnoreCase);
        }
    }
}

/// <summary>A log that keeps everything, at every level.</summary>
internal sealed class RecordingLog : ILoggerFactory, ILogger
{
    private readonly StringWriter _text = new();

    public string Text => _text.ToString();

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_text) _text.WriteLine($"{formatter(state, exception)} {exception}");
    }

    public void Dispose()
    {
    }
}
