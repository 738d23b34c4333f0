using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using LightningDB;

namespace OpsLog.Compare.Peers;

internal sealed class LmdbPeer : StorePeer
{
    private static readonly Lazy<string?> s_why = new(Try);

    public override string Name => "LMDB";

    public override string Version => $"{LightningEnvironmentVersion()} (LightningDB {typeof(LightningEnvironment).Assembly.GetName().Version!.ToString(3)}), documents as JSON";

    public override string? Mode(Promise promise) => promise switch
    {
        Promise.Disk => "sync",
        Promise.Os => "MDB_NOSYNC",
        _ => null,
    };

    public override string? WhyAbsent() => s_why.Value;

    public override ValueTask<IStore> OpenAsync(Job job)
    {
        if (s_why.Value is { } why) throw new NotSupportedException(why);
        Directory.CreateDirectory(job.Folder);
        var environment = new LightningEnvironment(job.Folder, new EnvironmentConfiguration { MapSize = 8L << 30 });
        environment.Open((job.Promise == Promise.Disk ? EnvironmentOpenFlags.None : EnvironmentOpenFlags.NoSync) | EnvironmentOpenFlags.NoThreadLocalStorage);
        return ValueTask.FromResult<IStore>(new Store(environment));
    }

    // Its own native library needs a newer C library than some systems have; theirs does then.
    private static string? Try()
    {
        const string Advice = "Debian has one: apt-get install liblmdb0";
        var library = typeof(LightningEnvironment).Assembly;
        NativeLibrary.SetDllImportResolver(library, (name, _, path) => Load(name, path));
        // Not found out by trying: an environment without it can neither be made nor finalised.
        if (Load("lmdb", null) == 0) return $"its native library cannot be loaded here. {Advice}";
        var folder = Directory.CreateTempSubdirectory("opslog-lmdb-").FullName;
        try
        {
            using var environment = new LightningEnvironment(folder);
            environment.Open(EnvironmentOpenFlags.None);
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or TypeInitializationException or LightningException)
        {
            return $"its native library cannot be used here: {(e.InnerException ?? e).Message.Split('\n')[0]}. {Advice}";
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        nint Load(string name, DllImportSearchPath? path) =>
            NativeLibrary.TryLoad(name, library, path, out var own) || NativeLibrary.TryLoad("liblmdb.so.0", out own) ? own : 0;
    }

    private static string LightningEnvironmentVersion()
    {
        if (s_why.Value is not null) return "?";
        var folder = Directory.CreateTempSubdirectory("opslog-lmdb-").FullName;
        try
        {
            using var environment = new LightningEnvironment(folder);
            return $"{environment.Version.Major}.{environment.Version.Minor}.{environment.Version.Patch}";
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private sealed class Store : IStore
    {
        private readonly LightningEnvironment _environment;
        private readonly LightningDatabase _records;
        private LightningTransaction? _reading;

        public Store(LightningEnvironment environment)
        {
            _environment = environment;
            using var transaction = environment.BeginTransaction();
            _records = transaction.OpenDatabase(configuration: new DatabaseConfiguration { Flags = DatabaseOpenFlags.Create });
            transaction.Commit().ThrowOnError();
        }

        public ValueTask SetAsync(string id, Item item)
        {
            using var transaction = _environment.BeginTransaction();
            transaction.Put(_records, Encoding.UTF8.GetBytes(id), Items.Json(item)).ThrowOnError();
            transaction.Commit().ThrowOnError();
            return default;
        }

        public ValueTask SetAllAsync(ReadOnlyMemory<KeyValuePair<string, Item>> batch)
        {
            using var transaction = _environment.BeginTransaction();
            foreach (var (id, item) in batch.Span) transaction.Put(_records, Encoding.UTF8.GetBytes(id), Items.Json(item)).ThrowOnError();
            transaction.Commit().ThrowOnError();
            return default;
        }

        public Item? Get(string id)
        {
            // One transaction, renewed for each read, is its quickest way that sees what was written last.
            if (_reading is null) _reading = _environment.BeginTransaction(TransactionBeginFlags.ReadOnly);
            else _reading.Renew();
            Span<byte> key = stackalloc byte[64];
            var (code, _, value) = _reading.Get(_records, key[..Encoding.UTF8.GetBytes(id, key)]);
            var item = code == MDBResultCode.Success ? JsonSerializer.Deserialize(value.AsSpan(), ItemJson.Default.Item) : null;
            _reading.Reset();
            return item;
        }

        public int CountAbove(int priority)
        {
            using var transaction = _environment.BeginTransaction(TransactionBeginFlags.ReadOnly);
            using var cursor = transaction.CreateCursor(_records);
            var count = 0;
            foreach (var (_, value) in cursor.AsEnumerable())
                if (JsonSerializer.Deserialize(value.AsSpan(), ItemJson.Default.Item)!.Priority > priority) count++;
            return count;
        }

        public ValueTask DisposeAsync()
        {
            _reading?.Dispose();
            _records.Dispose();
            _environment.Dispose();
            return default;
        }
    }
}
