using System.Security.Cryptography;
using System.Text;
using Npgsql;
using OpsLog.Storage;

namespace OpsLog.PostgreSql;

/// <summary>
/// Tells other processes of changes, and learns of theirs. A notice is sent apart from the write and at most every 10 ms: sent within its transaction, it would make
/// all commits of the database wait for each other. A notice that is lost costs the watcher a while, nothing else.
/// </summary>
internal sealed class Notices(NpgsqlDataSource sending, NpgsqlDataSource listening, string channel, PostgreSqlStorageOptions options) : IAsyncDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_pollInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_lastPatience = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? _listener;
    private Task _sender = Task.CompletedTask;
    private bool _hasMore;

    /// <summary>A store's channel: data never becomes part of a statement.</summary>
    public static string ChannelOf(string schema, string store) => "opslog_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{schema}\n{store}")).AsSpan(0, 16));

    /// <summary>Something was changed here. Returns at once.</summary>
    public void Send()
    {
        lock (_lock)
        {
            _hasMore = true;
            if (_sender.IsCompleted && !_stop.IsCancellationRequested) _sender = Task.Run(SendAsync);
        }
    }

    /// <summary>Completes when something may have changed, by the first call at the latest once the storage listens.</summary>
    public Task NextAsync()
    {
        lock (_lock)
        {
            if (_listener is null && !_stop.IsCancellationRequested) _listener = Task.Run(ListenAsync);
            return _next.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task sender, listener;
        lock (_lock) (sender, listener) = (_sender, _listener ?? Task.CompletedTask);
        await _stop.CancelAsync().ConfigureAwait(false);
        _giveUp.CancelAfter(s_lastPatience);
        await sender.ConfigureAwait(false); // the last change is told of too, if the server is there
        await listener.ConfigureAwait(false);
        Raise();
        await listening.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
        _giveUp.Dispose();
    }

    private async Task SendAsync()
    {
        while (true)
        {
            lock (_lock)
            {
                if (!_hasMore)
                {
                    _sender = Task.CompletedTask;
                    return;
                }

                _hasMore = false;
            }

            try
            {
                await NotifyAsync(_giveUp.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (PostgreSqlFaults.IsOurs(e, connecting: true))
            {
                // Who waits looks now and then unasked; the next write says what is wrong with the server.
            }

            await Task.Delay(s_interval, options.TimeProvider, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask NotifyAsync(CancellationToken ct)
    {
        var command = sending.CreateCommand(Statements.Notify);
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.Add(Database.Text(channel));
            await command.ExecuteNonQueryAsync(ct).ConfigureAwait(false);
        }
    }

    private async Task ListenAsync()
    {
        var stop = _stop.Token;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var connection = await listening.OpenConnectionAsync(stop).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false)) await ListenAsync(connection, stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (PostgreSqlFaults.IsOurs(e, connecting: true))
            {
                // The connection is gone, or there was none: whoever waits looks for itself until there is one.
            }

            Raise();
            await Task.Delay(s_pollInterval, options.TimeProvider, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Returns if no notice arrives where one was sent: a pooler stands in between.
    private async ValueTask ListenAsync(NpgsqlConnection connection, CancellationToken stop)
    {
        var command = new NpgsqlCommand($"LISTEN {channel}", connection);
        await using (command.ConfigureAwait(false)) await command.ExecuteNonQueryAsync(stop).ConfigureAwait(false);
        await NotifyAsync(stop).ConfigureAwait(false);
        // Until one has arrived, whoever waits looks unasked.
        for (var waited = s_pollInterval; !await connection.WaitAsync(s_pollInterval, stop).ConfigureAwait(false); waited += s_pollInterval)
        {
            if (waited >= s_patience) return;
            Raise();
        }

        while (true)
        {
            Raise();
            await connection.WaitAsync(stop).ConfigureAwait(false);
        }
    }

    private void Raise()
    {
        TaskCompletionSource raised;
        lock (_lock) (raised, _next) = (_next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        raised.TrySetResult();
    }
}
