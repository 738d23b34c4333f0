using System.Net;
using System.Net.Sockets;
using System.Text;

namespace OpsLog.RemoteTests.PostgreSql;

/// <summary>A way to a server that breaks on demand: before a request gets there, or when the server has answered and before the answer is passed on.</summary>
internal sealed class FaultyWay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly string _host;
    private readonly int _port;
    private readonly Task _accepting;
    private (byte[] Text, bool Sent, int Times) _fault;

    public FaultyWay(string host, int port)
    {
        (_host, _port) = (host, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How many requests came through.</summary>
    public int Requests { get; private set; }

    /// <summary>How often it broke.</summary>
    public int Broken { get; private set; }

    /// <summary>Called when the server has answered, before the way breaks.</summary>
    public Func<Task>? Behind { get; set; }

    /// <summary>The next requests that hold a text are carried out, and their answers lost.</summary>
    public void LoseAnswerTo(string text, int times = 1)
    {
        lock (_lock) _fault = (Encoding.ASCII.GetBytes(text), true, times);
    }

    /// <summary>The next requests that hold a text never arrive.</summary>
    public void LoseRequest(string text, int times = 1)
    {
        lock (_lock) _fault = (Encoding.ASCII.GetBytes(text), false, times);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _ = ServeAsync(client);
            }
        }
        catch (Exception) when (_stop.IsCancellationRequested)
        {
            // the end
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient { NoDelay = true };
        client.NoDelay = true;
        try
        {
            await server.ConnectAsync(_host, _port, _stop.Token);
            var (there, back) = (client.GetStream(), server.GetStream());
            var loses = new StrongBox();
            var answers = AnswersAsync(back, there, loses);
            var buffer = new byte[1 << 20];
            while (await there.ReadAsync(buffer, _stop.Token) is var count and > 0)
            {
                Requests++;
                if (Strikes(buffer.AsSpan(0, count)) is { } sent)
                {
                    if (!sent) break;
                    loses.Value = true;
                }

                await back.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
            }

            if (loses.Value) await answers;
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // one of them left
        }
        finally
        {
            client.Dispose();
        }
    }

    private async Task AnswersAsync(NetworkStream server, NetworkStream client, StrongBox loses)
    {
        try
        {
            var buffer = new byte[1 << 16];
            while (await server.ReadAsync(buffer, _stop.Token) is var count and > 0)
            {
                // Everything up to ReadyForQuery: what was asked for has been done.
                if (loses.Value && buffer[count - 6] != (byte)'Z') continue;
                if (loses.Value)
                {
                    if (Behind is { } behind) await behind();
                    break;
                }

                await client.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // one of them left
        }
        finally
        {
            client.Dispose();
        }
    }

    private bool? Strikes(ReadOnlySpan<byte> request)
    {
        lock (_lock)
        {
            if (_fault.Times == 0 || request.IndexOf(_fault.Text) < 0) return null;
            _fault.Times--;
            Broken++;
            return _fault.Sent;
        }
    }

    private sealed class StrongBox
    {
        public volatile bool Value;
    }
}
