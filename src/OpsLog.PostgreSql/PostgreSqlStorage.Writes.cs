using System.Buffers;
using Npgsql;
using NpgsqlTypes;
using OpsLog.Storage;

namespace OpsLog.PostgreSql;

public sealed partial class PostgreSqlStorage
{
    private static readonly PutResult s_exists = new(PutOutcome.Conflict, Detail: "The object exists.");
    private static readonly PutResult s_otherVersion = new(PutOutcome.Conflict, Detail: "There is no such object, or it has another version.");

    /// <inheritdoc/>
    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        RequireName(key);
        ArgumentNullException.ThrowIfNull(content);
        cancellationToken.ThrowIfCancellationRequested();
        Guid? expected = null;
        if (condition.Kind == PutConditionKind.IfVersion)
        {
            if (!Guid.TryParseExact(condition.Version.Tag, "N", out var version)) return s_otherVersion; // no version of this storage's
            expected = version;
        }

        var put = new Put(key, condition.Kind, expected, _database.NextToken());
        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            var start = content.CanSeek ? content.Position : -1;
            var first = await content.ReadAtLeastAsync(buffer.AsMemory(0, PieceBytes), PieceBytes, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            var what = $"put '{key}'";
            var result = first < PieceBytes
                ? await _database.RunAsync(what, writes: true, (connection, attempt, ct) => PutSmallAsync(connection, attempt, put, buffer.AsMemory(0, first), ct), cancellationToken).ConfigureAwait(false)
                : await _database.RunAsync(what, writes: true, (connection, attempt, ct) => PutLargeAsync(connection, attempt, put, content, start, buffer, ct), cancellationToken).ConfigureAwait(false);
            if (result.IsStored) _notices?.Send();
            return result;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        RequireName(key);
        ArgumentOutOfRangeException.ThrowIfNegative(expectedLength);
        cancellationToken.ThrowIfCancellationRequested();
        if (bytes.IsEmpty)
        {
            var found = await ReadAsync(key, new ByteRange(0, 0), cancellationToken).ConfigureAwait(false);
            return found?.Length == expectedLength ? new PutResult(PutOutcome.Stored, found.Version) : OtherLength(expectedLength);
        }

        var version = _database.NextToken();
        // Once it has begun it is brought to its end: no token.
        var result = await _database.RunAsync($"append to '{key}'", writes: true, (connection, attempt, _) => AppendAsync(connection, attempt, key, bytes, expectedLength, version), CancellationToken.None).ConfigureAwait(false);
        if (result.IsStored) _notices?.Send();
        return result;
    }

    private static PutResult OtherLength(long expectedLength) => new(PutOutcome.Conflict, Detail: $"There is no such object, or it is not {expectedLength} bytes long.");

    private async ValueTask<PutResult> AppendAsync(NpgsqlConnection connection, Attempt attempt, StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Guid version)
    {
        var first = bytes[..Math.Min(bytes.Length, PieceBytes)];
        var commands = new List<NpgsqlBatchCommand>
        {
            Database.Command(_statements.Append, [.. Name(key), Database.Number(expectedLength), Database.Token(version), Database.Number(bytes.Length), Database.Bytes(first)]),
        };
        for (var at = first.Length; at < bytes.Length; at += PieceBytes)
        {
            var piece = bytes.Slice(at, Math.Min(bytes.Length - at, PieceBytes));
            commands.Add(Database.Command(_statements.AppendMore, [.. Name(key), Database.Number(expectedLength + at), Database.Token(version), Database.Bytes(piece)]));
        }

        attempt.Send(connection);
        if (await Database.CountAsync(connection, 0, CancellationToken.None, [.. commands]).ConfigureAwait(false) == 1) return Stored(version);
        attempt.IsSent = false;

        // An object never gets shorter, so what was in doubt and did not happen by now never will; if it did, its piece lies where it belongs.
        var isThere = attempt.InDoubt && await Database.CountAsync(connection, 0, CancellationToken.None,
            Database.Command(_statements.WasAppended, [.. Name(key), Database.Number(expectedLength), Database.Token(version)])).ConfigureAwait(false) == 1;
        if (!isThere) return OtherLength(expectedLength);
        attempt.IsLocal = true;
        return Stored(version);
    }

    private async ValueTask<PutResult> PutSmallAsync(NpgsqlConnection connection, Attempt attempt, Put put, ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        if (attempt.InDoubt && put.Kind == PutConditionKind.Always) return await RefusedAsync(connection, attempt, put).ConfigureAwait(false); // again, it could undo another's
        ct.ThrowIfCancellationRequested(); // from here on it is brought to its end
        attempt.Send(connection);
        if (await SwapAsync(connection, put, bytes.Length, bytes.IsEmpty ? default(ReadOnlyMemory<byte>?) : bytes).ConfigureAwait(false)) return Stored(put.Token);
        attempt.IsSent = false;
        return await RefusedAsync(connection, attempt, put).ConfigureAwait(false);
    }

    private async ValueTask<PutResult> PutLargeAsync(NpgsqlConnection connection, Attempt attempt, Put put, Stream content, long start, byte[] buffer, CancellationToken ct)
    {
        if (attempt.InDoubt && (put.Kind == PutConditionKind.Always || await IsThereAsync(connection, put).ConfigureAwait(false)))
            return await RefusedAsync(connection, attempt, put).ConfigureAwait(false);
        var length = PieceBytes;
        if (attempt.HasRead)
        {
            if (start < 0) throw new StorageException(StorageFault.Unavailable, $"The connection was lost while '{put.Key}' was put, and its content cannot be read twice. Try again.") { OutcomeUnknown = attempt.InDoubt };
            content.Position = start;
            length = await content.ReadAtLeastAsync(buffer.AsMemory(0, PieceBytes), PieceBytes, throwOnEndOfStream: false, ct).ConfigureAwait(false);
        }

        var transaction = await connection.BeginTransactionAsync(ct).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            var whole = await CopyAsync(connection, attempt, put.Token, content, buffer, length, ct).ConfigureAwait(false);
            if (await SwapAsync(connection, put, whole, null).ConfigureAwait(false))
            {
                ct.ThrowIfCancellationRequested();
                attempt.Send(connection);
                await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
                return Stored(put.Token);
            }

            await transaction.RollbackAsync(CancellationToken.None).ConfigureAwait(false);
        }

        return await RefusedAsync(connection, attempt, put).ConfigureAwait(false);
    }

    private async ValueTask<long> CopyAsync(NpgsqlConnection connection, Attempt attempt, Guid token, Stream content, byte[] buffer, int length, CancellationToken ct)
    {
        long whole = 0;
        var import = await connection.BeginBinaryImportAsync(_statements.CopyPieces, ct).ConfigureAwait(false);
        await using (import.ConfigureAwait(false))
        {
            while (length > 0)
            {
                await import.StartRowAsync(ct).ConfigureAwait(false);
                await import.WriteAsync(token, NpgsqlDbType.Uuid, ct).ConfigureAwait(false);
                await import.WriteAsync(whole, NpgsqlDbType.Bigint, ct).ConfigureAwait(false);
                await import.WriteAsync(token, NpgsqlDbType.Uuid, ct).ConfigureAwait(false);
                await import.WriteAsync(new ReadOnlyMemory<byte>(buffer, 0, length), NpgsqlDbType.Bytea, ct).ConfigureAwait(false);
                whole += length;
                attempt.HasRead = true; // until here the first piece lies in the buffer
                length = await content.ReadAtLeastAsync(buffer.AsMemory(0, PieceBytes), PieceBytes, throwOnEndOfStream: false, ct).ConfigureAwait(false);
            }

            await import.CompleteAsync(ct).ConfigureAwait(false);
        }

        return whole;
    }

    // Whether the condition held. Without a condition, what is there is replaced, or what is not there made, until one of them succeeds.
    private async ValueTask<bool> SwapAsync(NpgsqlConnection connection, Put put, long length, ReadOnlyMemory<byte>? bytes)
    {
        while (true)
        {
            NpgsqlParameter[] Values() => [.. Name(put.Key), Database.Token(put.Token), Database.Number(length), Database.Bytes(bytes)];
            if (put.Kind != PutConditionKind.IfAbsent)
            {
                var replaced = await Database.CountAsync(connection, 1, CancellationToken.None,
                    Database.Command(_statements.Lock, Name(put.Key)), Database.Command(_statements.Replace, [.. Values(), Database.Token(put.Expected)])).ConfigureAwait(false);
                if (replaced == 1 || put.Kind == PutConditionKind.IfVersion) return replaced == 1;
            }

            var made = await Database.CountAsync(connection, 0, CancellationToken.None, Database.Command(_statements.Insert, Values())).ConfigureAwait(false);
            if (made == 1 || put.Kind == PutConditionKind.IfAbsent) return made == 1;
        }
    }

    // The condition did not hold, perhaps because an earlier try of the same put made it so.
    private async ValueTask<PutResult> RefusedAsync(NpgsqlConnection connection, Attempt attempt, Put put)
    {
        if (!attempt.InDoubt) return put.Kind == PutConditionKind.IfAbsent ? s_exists : s_otherVersion;
        if (await IsThereAsync(connection, put).ConfigureAwait(false))
        {
            attempt.IsLocal = true;
            return Stored(put.Token);
        }

        throw new StorageException(StorageFault.Unavailable, $"The answer to putting '{put.Key}' was lost, and something else is there by now: it may have been there in between.") { OutcomeUnknown = true };
    }

    private async ValueTask<bool> IsThereAsync(NpgsqlConnection connection, Put put) =>
        await Database.CountAsync(connection, 0, CancellationToken.None, Database.Command(_statements.WasPut, [.. Name(put.Key), Database.Token(put.Token)])).ConfigureAwait(false) == 1;

    private static PutResult Stored(Guid version) => new(PutOutcome.Stored, new StorageVersion(version.ToString("N")));

    /// <param name="Key">The object.</param>
    /// <param name="Kind">The condition.</param>
    /// <param name="Expected">The version it must have; null: any.</param>
    /// <param name="Token">The identity it gets, the same in every try.</param>
    private readonly record struct Put(StorageKey Key, PutConditionKind Kind, Guid? Expected, Guid Token);
}
