using System.Data;
using Npgsql;
using OpsLog.Storage;

namespace OpsLog.PostgreSql;

public sealed partial class PostgreSqlStorage
{
    private const int PieceBytes = 1 << 20;

    // What is small is read at once and gives its connection back; the rest comes as it is consumed.
    private const int AtOnceBytes = 1 << 20;

    private async ValueTask<StoredObject?> ReadAsync(NpgsqlConnection connection, Attempt attempt, StorageKey key, ByteRange range, CancellationToken ct)
    {
        var end = range.Length is { } length && length < long.MaxValue - range.Offset ? range.Offset + length : long.MaxValue;
        var isStat = end == range.Offset;
        var command = new NpgsqlCommand(isStat ? _statements.Stat : _statements.Read, connection);
        NpgsqlDataReader? reader = null;
        try
        {
            command.Parameters.AddRange(Name(key));
            if (!isStat) command.Parameters.AddRange((NpgsqlParameter[])[Database.Number(range.Offset), Database.Number(end)]);
            reader = await command.ExecuteReaderAsync(CommandBehavior.SequentialAccess, ct).ConfigureAwait(false);
            if (!await reader.ReadAsync(ct).ConfigureAwait(false)) return null;
            var version = new StorageVersion(reader.GetGuid(0).ToString("N"));
            var whole = reader.GetInt64(1);
            var count = Math.Max(0, Math.Min(end, whole) - Math.Min(range.Offset, whole));
            if (count == 0) return new StoredObject(ReadOnlyMemory<byte>.Empty, whole, version);
            if (count > AtOnceBytes)
            {
                attempt.KeepsConnection = true;
                return new StoredObject(new PieceStream(key, [reader, command, connection], reader, range.Offset, count), whole, version);
            }

            var bytes = GC.AllocateUninitializedArray<byte>((int)count);
            var content = new PieceStream(key, [], reader, range.Offset, count);
            await using (content.ConfigureAwait(false)) await content.ReadExactlyAsync(bytes, ct).ConfigureAwait(false);
            return new StoredObject(bytes, whole, version);
        }
        catch (PostgresException e) when (e.SqlState is NoTable)
        {
            return null; // nobody has written anything yet
        }
        finally
        {
            if (!attempt.KeepsConnection)
            {
                if (reader is not null) await reader.DisposeAsync().ConfigureAwait(false);
                await command.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private async ValueTask<List<StorageEntry>> ListAsync(NpgsqlConnection connection, StorageKey prefix, StorageKey? after, CancellationToken ct)
    {
        // The server orders by code point, names by UTF-16 unit: that differs where there are surrogates. Then the order, and the place to start at, are made here.
        var start = after is { } name && IsPlain(name.Value) ? name.Value : "";
        var entries = new List<StorageEntry>();
        var isOrdered = true;
        try
        {
            var command = new NpgsqlCommand(_statements.List, connection);
            await using (command.ConfigureAwait(false))
            {
                command.Parameters.AddRange((NpgsqlParameter[])[Database.Text(_store), Database.Text(prefix.Value), Database.Text(start)]);
                var reader = await command.ExecuteReaderAsync(ct).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    while (await reader.ReadAsync(ct).ConfigureAwait(false))
                    {
                        var key = new StorageKey(reader.GetString(0));
                        isOrdered &= IsPlain(key.Value);
                        if (after is null || key > after.Value) entries.Add(new StorageEntry(key, reader.GetInt64(1), reader.GetFieldValue<DateTimeOffset>(2)));
                    }
                }
            }
        }
        catch (PostgresException e) when (e.SqlState is NoTable)
        {
            return [];
        }

        if (!isOrdered) entries.Sort((one, other) => one.Key.CompareTo(other.Key));
        return entries;
    }

    private static bool IsPlain(string name) => !name.AsSpan().ContainsAnyInRange('\uD800', '\uFFFF');
}
