using Azure.Storage.Blobs.Specialized;
using Npgsql;
using OpsLog.RemoteTests.Azure;
using OpsLog.RemoteTests.PostgreSql;
using OpsLog.RemoteTests.S3;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.RemoteTests.Stores;

/// <summary>An empty place of one kind, on the real server where it needs one, and clients of it: for tests that say the same of every storage.</summary>
internal abstract class RemotePlace : IAsyncDisposable
{
    /// <summary>The kinds that have a server.</summary>
    public static readonly string[] Remote = ["s3", "azure", "postgres"];

    public static readonly string[] All = ["file", "memory", .. Remote];

    public static async Task<RemotePlace> CreateAsync(string kind) => kind switch
    {
        "file" => new FilePlace(),
        "memory" => new MemoryPlace(),
        "s3" => new S3Place(await S3Rig.CreateAsync()),
        "azure" => new AzurePlace(await AzureRig.CreateAsync()),
        _ => new PostgreSqlPlace(await PostgreSqlRig.StartAsync()),
    };

    /// <summary>A client of its own, to be disposed by who asked for it.</summary>
    public abstract IOpsStorage Connect();

    /// <summary>The same, and how many requests have left it so far.</summary>
    public virtual (IOpsStorage Storage, Func<int> Requests) ConnectCounted() => throw new NotSupportedException("Nothing leaves the machine.");

    /// <summary>What writes bytes through the bare client library: by which caller, its how many-th, and what.</summary>
    public virtual Task<Func<int, int, byte[], Task>> RawAsync() => throw new NotSupportedException("There is nothing below it.");

    public abstract ValueTask DisposeAsync();

    private sealed class FilePlace : RemotePlace
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("opslog-place-").FullName;

        public override IOpsStorage Connect() => new FileStorage(Path.Combine(_folder, "store"));

        public override ValueTask DisposeAsync()
        {
            Directory.Delete(_folder, recursive: true);
            return ValueTask.CompletedTask;
        }
    }

    private sealed class MemoryPlace : RemotePlace
    {
        private readonly MemoryStorage _storage = new();

        public override IOpsStorage Connect() => _storage;

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class S3Place(S3Rig rig) : RemotePlace
    {
        public override IOpsStorage Connect() => rig.Connect();

        public override (IOpsStorage Storage, Func<int> Requests) ConnectCounted()
        {
            var http = new FaultyHttp();
            return (rig.Connect(o => o.Through(http)), () => http.Count);
        }

        public override Task<Func<int, int, byte[], Task>> RawAsync()
        {
            var client = rig.Raw();
            return Task.FromResult<Func<int, int, byte[], Task>>((caller, number, bytes) => client.PutObjectAsync(new()
            {
                BucketName = S3Rig.Bucket,
                Key = $"{rig.Prefix}/raw/{caller}-{number}",
                InputStream = new MemoryStream(bytes),
                UseChunkEncoding = false,
                IfNoneMatch = "*",
            }));
        }

        public override async ValueTask DisposeAsync() => await rig.CleanAsync();
    }

    private sealed class AzurePlace(AzureRig rig) : RemotePlace
    {
        public override IOpsStorage Connect() => rig.Connect();

        public override (IOpsStorage Storage, Func<int> Requests) ConnectCounted()
        {
            var http = new FaultyHttp();
            return (rig.Connect(http: http), () => http.Count);
        }

        public override async Task<Func<int, int, byte[], Task>> RawAsync()
        {
            var blobs = Enumerable.Range(0, 16).Select(caller => rig.Raw().GetAppendBlobClient($"{rig.Prefix}/raw/{caller}")).ToList();
            foreach (var blob in blobs) await blob.CreateAsync();
            return (caller, _, bytes) => blobs[caller].AppendBlockAsync(new MemoryStream(bytes));
        }

        public override async ValueTask DisposeAsync() => await rig.CleanAsync();
    }

    private sealed class PostgreSqlPlace(PostgreSqlRig rig) : RemotePlace
    {
        private NpgsqlDataSource? _raw;

        public override IOpsStorage Connect() => rig.Open();

        public override (IOpsStorage Storage, Func<int> Requests) ConnectCounted()
        {
            var counted = new FaultyStorage(rig.Open(options: o => o.Notices = false)); // a call of a small object is one statement
            return (counted, () => counted.CountOf());
        }

        public override async Task<Func<int, int, byte[], Task>> RawAsync()
        {
            var source = _raw = NpgsqlDataSource.Create(rig.Server);
            await rig.SqlAsync($"CREATE TABLE {rig.Schema}.raw (caller int, number int, bytes bytea, PRIMARY KEY (caller, number))");
            return async (caller, number, bytes) =>
            {
                await using var command = source.CreateCommand($"INSERT INTO {rig.Schema}.raw VALUES ($1, $2, $3)");
                command.Parameters.Add(new() { Value = caller });
                command.Parameters.Add(new() { Value = number });
                command.Parameters.Add(new() { Value = bytes });
                await command.ExecuteNonQueryAsync();
            };
        }

        public override async ValueTask DisposeAsync()
        {
            if (_raw is not null) await _raw.DisposeAsync();
            await rig.DisposeAsync();
        }
    }
}
