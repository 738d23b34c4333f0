using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace OpsLog.Compare.Peers;

internal sealed class SqlitePeer : StorePeer
{
    public override string Name => "SQLite";

    public override string Version
    {
        get
        {
            using var connection = new SqliteConnection("Data Source=:memory:");
            connection.Open();
            return $"{connection.ServerVersion} (Microsoft.Data.Sqlite {typeof(SqliteConnection).Assembly.GetName().Version!.ToString(3)}), WAL, documents as JSON text, WITHOUT ROWID";
        }
    }

    public override string? Mode(Promise promise) => promise switch
    {
        Promise.Disk => "synchronous=FULL",
        Promise.Os => "synchronous=NORMAL",
        _ => null,
    };

    public override ValueTask<IStore> OpenAsync(Job job)
    {
        Directory.CreateDirectory(job.Folder);
        var connection = new SqliteConnection($"Data Source={Path.Join(job.Folder, "sqlite.db")};Pooling=false");
        connection.Open();
        using var setup = connection.CreateCommand();
        setup.CommandText = $"""
            PRAGMA journal_mode=WAL;
            PRAGMA {(job.Promise == Promise.Disk ? "synchronous=FULL" : "synchronous=NORMAL")};
            PRAGMA cache_size=-65536;
            CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY, document TEXT) WITHOUT ROWID;
            """;
        setup.ExecuteNonQuery();
        return ValueTask.FromResult<IStore>(new Store(connection));
    }

    private sealed class Store : IStore
    {
        private readonly Lock _lock = new();
        private readonly SqliteConnection _connection;
        private readonly SqliteCommand _put;
        private readonly SqliteCommand _get;
        private readonly SqliteCommand _count;

        public Store(SqliteConnection connection)
        {
            _connection = connection;
            _put = Command("INSERT INTO items VALUES ($id, $document) ON CONFLICT (id) DO UPDATE SET document = excluded.document", "$id", "$document");
            _get = Command("SELECT document FROM items WHERE id = $id", "$id");
            _count = Command("SELECT count(*) FROM items WHERE json_extract(document, '$.priority') > $above", "$above");
        }

        public ValueTask SetAsync(string id, Item item)
        {
            lock (_lock) Put(id, item);
            return default;
        }

        public ValueTask SetAllAsync(ReadOnlyMemory<KeyValuePair<string, Item>> batch)
        {
            lock (_lock)
            {
                using var transaction = _connection.BeginTransaction();
                _put.Transaction = transaction;
                foreach (var (id, item) in batch.Span) Put(id, item);
                transaction.Commit();
                _put.Transaction = null;
            }

            return default;
        }

        public Item? Get(string id)
        {
            lock (_lock)
            {
                _get.Parameters[0].Value = id;
                return _get.ExecuteScalar() is string json ? JsonSerializer.Deserialize(json, ItemJson.Default.Item) : null;
            }
        }

        public int CountAbove(int priority)
        {
            lock (_lock)
            {
                _count.Parameters[0].Value = priority;
                return (int)(long)_count.ExecuteScalar()!;
            }
        }

        public ValueTask DisposeAsync()
        {
            _put.Dispose();
            _get.Dispose();
            _count.Dispose();
            _connection.Dispose();
            return default;
        }

        private void Put(string id, Item item)
        {
            _put.Parameters[0].Value = id;
            _put.Parameters[1].Value = JsonSerializer.Serialize(item, ItemJson.Default.Item);
            _put.ExecuteNonQuery();
        }

        private SqliteCommand Command(string text, params ReadOnlySpan<string> parameters)
        {
            var command = _connection.CreateCommand();
#pragma warning disable CA2100 // The texts are those above.
            command.CommandText = text;
#pragma warning restore CA2100
            foreach (var name in parameters) command.Parameters.Add(new SqliteParameter(name, null));
            return command;
        }
    }
}
