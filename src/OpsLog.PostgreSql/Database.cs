using System.Security.Cryptography;
using Npgsql;
using NpgsqlTypes;
using OpsLog.Storage;

namespace OpsLog.PostgreSql;

/// <summary>One call of the storage, over all its tries.</summary>
internal sealed class Attempt
{
    /// <summary>Whether a write was sent that commits by itself: from there on a lost answer leaves its outcome open.</summary>
    public bool IsSent { get; set; }

    /// <summary>Whether an earlier try may have happened, or may yet: it is told by what it wrote.</summary>
    public bool InDoubt { get; set; }

    /// <summary>Whether what was written is known to be committed on this server alone: it has been found there, or the server did not wait for its standby to have it.</summary>
    public bool IsLocal { get; set; }

    /// <summary>Whether the work is done, and is on this server: what is left is to wait for the standby.</summary>
    public bool IsCommitted { get; set; }

    /// <summary>Called before a write is sent that commits by itself.</summary>
    public void Send(NpgsqlConnection connection)
    {
        IsSent = true;
        connection.Notice += (_, told) => IsLocal |= PostgreSqlFaults.IsLocal(told.Notice);
    }

    /// <summary>Whether the work hands the connection on, and whoever gets it closes it.</summary>
    public bool KeepsConnection { get; set; }

    /// <summary>Whether an earlier try has read of the content.</summary>
    public bool HasRead { get; set; }
}

/// <summary>Connections, and tries: what may pass is tried again with growing, random waits until the time given for it is over.</summary>
internal sealed class Database(NpgsqlDataSource source, Statements statements, PostgreSqlStorageOptions options) : IAsyncDisposable
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);

    private volatile bool _hasTables;

    /// <summary>16 random bytes: a version, or an object's identity. Drawn before the write, so that a lost answer can be found out.</summary>
    public Guid NextToken()
    {
        Span<byte> bytes = stackalloc byte[16];
        if (options.Random is { } random)
        {
            lock (random) random.NextBytes(bytes);
        }
        else
        {
            RandomNumberGenerator.Fill(bytes);
        }

        return new Guid(bytes);
    }

    /// <exception cref="StorageException">It failed, or did not pass in time.</exception>
    public async ValueTask<T> RunAsync<T>(string what, bool writes, Func<NpgsqlConnection, Attempt, CancellationToken, ValueTask<T>> work, CancellationToken ct)
    {
        var attempt = new Attempt();
        var began = options.TimeProvider.GetTimestamp();
        var result = default(T);
        for (var pause = s_firstPause; ; pause = Min(pause * 2, s_longestPause))
        {
            NpgsqlConnection? connection = null;
            try
            {
                (attempt.IsSent, attempt.IsLocal) = (false, false);
                if (attempt.IsCommitted) ct = CancellationToken.None; // it is brought to its end
                connection = await source.OpenConnectionAsync(ct).ConfigureAwait(false);
                if (writes && !_hasTables) await PrepareAsync(connection, ct).ConfigureAwait(false);
                if (!attempt.IsCommitted) result = await work(connection, attempt, ct).ConfigureAwait(false);
                if (attempt.IsLocal || attempt.IsCommitted) await ConfirmAsync(connection, attempt, what, options.RetryFor - options.TimeProvider.GetElapsedTime(began)).ConfigureAwait(false);
                return result!;
            }
            catch (Exception e) when (PostgreSqlFaults.IsOurs(e, connection is null))
            {
                var failure = PostgreSqlFaults.Of(e, connection is null, source is NpgsqlMultiHostDataSource);
                if (failure.IsStale) Forget();
                attempt.InDoubt |= attempt.IsSent && !failure.RolledBack;
                var isLate = options.TimeProvider.GetElapsedTime(began) + pause > options.RetryFor;
                if (!failure.MayPass || isLate) throw Failed(what, attempt.IsCommitted ? failure with { Fault = StorageFault.Broken } : failure, e, attempt.InDoubt);
            }
            finally
            {
                if (connection is not null && !attempt.KeepsConnection) await connection.DisposeAsync().ConfigureAwait(false);
            }

            await Task.Delay(pause / 2 + (pause * Chance()), options.TimeProvider, ct).ConfigureAwait(false);
        }
    }

    /// <summary>A failure as the storage tells it: what the server said, never what was sent to it.</summary>
    public static StorageException Failed(string what, Failure failure, Exception cause, bool outcomeUnknown) =>
        new(failure.Fault, $"PostgreSQL could not {what}: {Said(cause)} {failure.Advice}", cause) { OutcomeUnknown = outcomeUnknown };

    public static NpgsqlBatchCommand Command(string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters) command.Parameters.Add(parameter);
        return command;
    }

    public static NpgsqlParameter Text(string value) => new NpgsqlParameter<string> { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Text };

    public static NpgsqlParameter Number(long value) => new NpgsqlParameter<long> { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Bigint };

    public static NpgsqlParameter Token(Guid? value) =>
        value is { } token ? new NpgsqlParameter<Guid> { TypedValue = token, NpgsqlDbType = NpgsqlDbType.Uuid } : new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid };

    public static NpgsqlParameter Bytes(ReadOnlyMemory<byte>? value) => value is { } bytes
        ? new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = bytes, NpgsqlDbType = NpgsqlDbType.Bytea }
        : new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bytea };

    /// <summary>Runs commands in one round trip and one transaction.</summary>
    /// <returns>What the first column of the first row of the command at <paramref name="answer"/> says.</returns>
    public static async ValueTask<long> CountAsync(NpgsqlConnection connection, int answer, CancellationToken ct, params NpgsqlBatchCommand[] commands)
    {
        var batch = new NpgsqlBatch(connection);
        await using (batch.ConfigureAwait(false))
        {
            foreach (var command in commands) batch.BatchCommands.Add(command);
            var reader = await batch.ExecuteReaderAsync(ct).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                long count = 0;
                var result = 0;
                do
                {
                    var hasRow = await reader.ReadAsync(ct).ConfigureAwait(false);
                    if (result == answer && hasRow) count = reader.GetInt64(0);
                    result++;
                }
                while (await reader.NextResultAsync(ct).ConfigureAwait(false));
                return count;
            }
        }
    }

    public ValueTask DisposeAsync() => source.DisposeAsync();

    // A commit comes to a standby behind those before it: one that the standby has says that it has them too. Where there is no standby to wait for, it says so at once. If it fails, to
    // find the write on this server proves nothing: a failure of the medium, behind which nobody reads back.
    private static async ValueTask ConfirmAsync(NpgsqlConnection connection, Attempt attempt, string what, TimeSpan rest)
    {
        (attempt.InDoubt, attempt.IsCommitted, attempt.IsLocal) = (true, true, false);
        attempt.Send(connection);
        var command = new NpgsqlCommand(Statements.Confirm, connection) { CommandTimeout = (int)Math.Max(1, Math.Ceiling(rest.TotalSeconds)) };
        await using (command.ConfigureAwait(false))
        {
            try
            {
                await command.ExecuteNonQueryAsync(CancellationToken.None).ConfigureAwait(false);
            }
            catch (PostgresException e) when (PostgreSqlFaults.IsUnknown(e))
            {
                return; // another server that speaks the protocol, with replication of its own kind
            }
        }

        if (attempt.IsLocal)
            throw new StorageException(StorageFault.Broken, $"PostgreSQL could not {what} everywhere: the server has it, but its synchronous standby may not. Look at the standby.") { OutcomeUnknown = true };
    }

    private void Forget()
    {
        source.Clear();
        (source as NpgsqlMultiHostDataSource)?.ClearDatabaseStates();
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static string Said(Exception cause) => cause is PostgresException e ? $"{e.MessageText} ({e.SqlState})." : cause.Message.TrimEnd('.') + ".";

    // Before the first write: what is there, and whether it may be trusted.
    private async ValueTask PrepareAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        if (!await HasTablesAsync(connection, ct).ConfigureAwait(false))
        {
            if (!options.CreateTables) throw new StorageException(StorageFault.Denied, $"The tables {statements.Objects} and {statements.Pieces} are not there, and this storage is set not to make them. {Advice}");
            try
            {
                await CreateAsync(connection, ct).ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState is "42501" or "3F000")
            {
                throw new StorageException(StorageFault.Denied, $"The tables {statements.Objects} and {statements.Pieces} are not there, and the role cannot make them: {Said(e)} {Advice}", e);
            }
        }

        _hasTables = true;
    }

    private const string Advice = "Have somebody who may run PostgreSqlStorage.TablesSql (docs/storage.md), or name another schema.";

    private async ValueTask<bool> HasTablesAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        var command = new NpgsqlCommand(Statements.Check, connection);
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.Add(Text(statements.Objects));
            command.Parameters.Add(Text(statements.Pieces));
            var reader = await command.ExecuteReaderAsync(ct).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(ct).ConfigureAwait(false);
                if (reader.GetString(1) == "off" && !options.AllowServerWithoutFsync)
                    throw new StorageException(StorageFault.Unsupported, "The server runs with fsync = off: a power loss may take what was acknowledged. Switch it on, or set AllowServerWithoutFsync.");
                return reader.GetBoolean(0);
            }
        }
    }

    private async ValueTask CreateAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        var transaction = await connection.BeginTransactionAsync(ct).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            foreach (var sql in (string[])[Statements.LockTables, statements.CreateTables])
            {
                var command = new NpgsqlCommand(sql, connection, transaction);
                await using (command.ConfigureAwait(false)) await command.ExecuteNonQueryAsync(ct).ConfigureAwait(false);
            }

            await transaction.CommitAsync(ct).ConfigureAwait(false);
        }
    }

    private double Chance()
    {
        if (options.Random is not { } random) return RandomNumberGenerator.GetInt32(1 << 20) / (double)(1 << 20);
        lock (random) return random.NextDouble();
    }
}
