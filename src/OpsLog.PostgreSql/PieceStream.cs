using Npgsql;
using OpsLog.Storage;

namespace OpsLog.PostgreSql;

/// <summary>The bytes of a range as the server sends them, piece after piece. Holds a connection until it is disposed.</summary>
/// <param name="name">The object, for messages.</param>
/// <param name="opened">What to dispose, the connection last.</param>
/// <param name="reader">Standing on the first piece.</param>
/// <param name="from">The first byte wanted.</param>
/// <param name="count">How many.</param>
internal sealed class PieceStream(StorageKey name, IAsyncDisposable[] opened, NpgsqlDataReader reader, long from, long count) : Stream
{
    private const int StartColumn = 2;
    private const int BytesColumn = 3;

    private long _position;
    private bool _hasRow = true;
    private Stream? _piece;
    private bool _isDisposed;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => count;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty || _position == count) return 0;
        try
        {
            while (true)
            {
                if (_piece is null && !await NextAsync(cancellationToken).ConfigureAwait(false))
                    throw new StorageException(StorageFault.Broken, $"Bytes of '{name}' are missing from offset {from + _position} on: rows of opslog_pieces were deleted. Restore them.");
                var read = await _piece!.ReadAsync(buffer[..(int)Math.Min(buffer.Length, count - _position)], cancellationToken).ConfigureAwait(false);
                _position += read;
                if (read > 0) return read;
                await _piece.DisposeAsync().ConfigureAwait(false);
                (_piece, _hasRow) = (null, false);
            }
        }
        catch (Exception e) when (PostgreSqlFaults.IsOurs(e, connecting: false))
        {
            throw Database.Failed($"go on reading '{name}'", PostgreSqlFaults.Of(e, connecting: false), e, outcomeUnknown: false);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override async ValueTask DisposeAsync()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            try
            {
                if (_piece is not null) await _piece.DisposeAsync().ConfigureAwait(false);
                foreach (var one in opened.SkipLast(1)) await one.DisposeAsync().ConfigureAwait(false);
            }
            finally
            {
                if (opened is [.., var connection]) await connection.DisposeAsync().ConfigureAwait(false); // whatever fails before
            }
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            _isDisposed = true;
            _piece?.Dispose();
            foreach (var one in opened) (one as IDisposable)?.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<bool> NextAsync(CancellationToken ct)
    {
        if (!_hasRow && !await reader.ReadAsync(ct).ConfigureAwait(false)) return false;
        _hasRow = true;
        if (await reader.IsDBNullAsync(StartColumn, ct).ConfigureAwait(false)) return false;
        if (Math.Max(from, reader.GetInt64(StartColumn)) != from + _position) return false;
        _piece = await reader.GetStreamAsync(BytesColumn, ct).ConfigureAwait(false);
        return true;
    }
}
