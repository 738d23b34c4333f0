using System.Runtime.CompilerServices;
using System.Text;
using Npgsql;
using OpsLog.Storage;

namespace OpsLog.PostgreSql;

/// <summary>
/// Stores in a PostgreSQL database, or one that speaks its protocol: many stores side by side, told apart by name. Conditions are checked in SQL, appends are one round trip,
/// large objects lie in pieces of 1 MiB, and <c>NOTIFY</c> tells other processes of changes.
/// </summary>
/// <remarks>
/// <para>Safe for concurrent calls; each takes a connection of the pool while it lasts. No call leaves state in a session, so a pooler that shares sessions between transactions may
/// stand in between; only <see cref="NextChangeAsync"/> needs a session of its own (<see cref="PostgreSqlStorageOptions.ListenConnectionString"/>).</para>
/// <para>What passes (a restart, a failover, a lost connection) is tried again for <see cref="PostgreSqlStorageOptions.RetryFor"/>. Every write carries a random version that it is recognised
/// by, so a lost answer is found out, and only what cannot be is reported with <see cref="StorageException.OutcomeUnknown"/>. A commit is on disk when it is acknowledged,
/// also where the role has <c>synchronous_commit = off</c>; both levels of <see cref="Flush"/> are the same.</para>
/// </remarks>
public sealed partial class PostgreSqlStorage : IOpsStorage
{
    /// <summary>The longest store name, in characters.</summary>
    public const int MaxStoreLength = 200;

    private const int LongestSchema = 63; // of PostgreSQL's own names, in bytes

    private readonly string _store;
    private readonly Statements _statements;
    private readonly Database _database;
    private readonly Notices? _notices;
    private int _isDisposed;

    /// <summary>A store's bytes in a database. Nothing is sent before the first call; the first write makes the tables.</summary>
    /// <param name="connectionString">How to connect, as Npgsql takes it. What is missing comes from the environment (<c>PGUSER</c>, <c>PGPASSWORD</c>, <c>PGPASSFILE</c>).</param>
    /// <param name="store">The store's name: any text of 1 to <see cref="MaxStoreLength"/> characters without control characters and lone surrogates.</param>
    /// <param name="options">The settings; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">A connection string, the store's name or an option is malformed. The message holds no secret.</exception>
    public PostgreSqlStorage(string connectionString, string store, PostgreSqlStorageOptions? options = null)
        : this(Builder(connectionString), options?.ListenConnectionString is { } listen ? Builder(listen) : null, store, options?.Schema, options ?? new PostgreSqlStorageOptions())
    {
    }

    private PostgreSqlStorage(NpgsqlConnectionStringBuilder connection, NpgsqlConnectionStringBuilder? listen, string store, string? schema, PostgreSqlStorageOptions options)
    {
        CheckStore(store);
        schema ??= options.Schema;
        CheckSchema(schema);
        if (options.RetryFor < TimeSpan.Zero || options.RetryFor > TimeSpan.FromHours(1))
            throw new ArgumentException("RetryFor is zero to 1 hour.", nameof(options));
        _store = store;
        _statements = new Statements(schema);
        var source = Source(connection, options);
        _database = new Database(source, _statements, options);
        if (options.Notices) _notices = new Notices(source, Listening(listen ?? connection, options), Notices.ChannelOf(schema, store), options);
    }

    /// <inheritdoc/>
    public StorageCapabilities Capabilities =>
        StorageCapabilities.Append | StorageCapabilities.ListIsOrdered | (_notices is null ? StorageCapabilities.None : StorageCapabilities.Notify);

    /// <summary>
    /// The storage of a location: <c>postgres://host:port/database?store=name</c>. User and password may stand before the host, but better come from the environment.
    /// Further members: <c>schema</c>, <c>listen=host:port</c> (where to listen, if a pooler stands in between), and libpq's <c>sslmode</c>, <c>sslrootcert</c> and others.
    /// </summary>
    /// <param name="uri">The location; names and values are percent-encoded.</param>
    /// <param name="options">The settings; <see langword="null"/> for the defaults. What the location says goes first.</param>
    /// <exception cref="ArgumentException">It is malformed. The message holds nothing of it.</exception>
    public static PostgreSqlStorage FromUri(string uri, PostgreSqlStorageOptions? options = null)
    {
        var parsed = PostgreSqlUri.Parse(uri);
        var listen = parsed.Listen ?? (options?.ListenConnectionString is { } given ? Builder(given) : null);
        return new PostgreSqlStorage(parsed.Connection, listen, parsed.Store, parsed.Schema, options ?? new PostgreSqlStorageOptions());
    }

    /// <summary>Makes <c>postgres://</c> and <c>postgresql://</c> known to <see cref="StorageSchemes"/>. May be called more than once.</summary>
    public static void Register()
    {
        StorageSchemes.Register("postgres", Open);
        StorageSchemes.Register("postgresql", Open);
    }

    /// <summary>The SQL that makes the tables, for somebody who may run it where the program's own role may not. Running it twice does no harm.</summary>
    /// <param name="schema">The schema they are to lie in; it must exist.</param>
    /// <exception cref="ArgumentException">The name of the schema is malformed.</exception>
    public static string TablesSql(string schema = "public")
    {
        CheckSchema(schema);
        return new Statements(schema).CreateTables;
    }

    /// <inheritdoc/>
    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<StoredObject?>(cancellationToken);
        ArgumentOutOfRangeException.ThrowIfNegative(range.Offset, nameof(range));
        if (range.Length is { } length) ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(range));
        return _database.RunAsync<StoredObject?>($"read '{key}'", writes: false, (connection, attempt, ct) => ReadAsync(connection, attempt, key, range, ct), cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var entries = await _database.RunAsync($"list '{prefix}'", writes: false, (connection, _, ct) => ListAsync(connection, prefix, after, ct), cancellationToken).ConfigureAwait(false);
        foreach (var entry in entries) yield return entry;
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        RequireName(key);
        cancellationToken.ThrowIfCancellationRequested();
        await _database.RunAsync($"delete '{key}'", writes: false, async (connection, attempt, ct) =>
        {
            attempt.IsLocal = attempt.InDoubt; // it may be an earlier try that deleted it
            attempt.Send(connection);
            try
            {
                return await Database.CountAsync(connection, 1, ct, Database.Command(_statements.Lock, Name(key)), Database.Command(_statements.Delete, Name(key))).ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState is NoTable)
            {
                return 0;
            }
        }, cancellationToken).ConfigureAwait(false);
        _notices?.Send();
    }

    /// <inheritdoc/>
    public Task NextChangeAsync() => _notices?.NextAsync() ?? s_never;

    /// <summary>Closes the connections. What is stored stays.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0) return;
        if (_notices is not null) await _notices.DisposeAsync().ConfigureAwait(false);
        await _database.DisposeAsync().ConfigureAwait(false);
    }

    private const string NoTable = "42P01";
    private static readonly Task s_never = new TaskCompletionSource().Task;

    private static PostgreSqlStorage Open(string location, TimeProvider timeProvider, Random? random) =>
        FromUri(location, new PostgreSqlStorageOptions { TimeProvider = timeProvider, Random = random });

    // No inner exception: it may repeat a part of a password that was not quoted.
    private static NpgsqlConnectionStringBuilder Builder(string connectionString)
    {
        ArgumentException.ThrowIfNullOrEmpty(connectionString);
        try
        {
            return new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException or OverflowException)
        {
            throw new ArgumentException("The connection string is malformed. Quote values that hold ';' or '='.", nameof(connectionString));
        }
    }

    private static NpgsqlDataSource Source(NpgsqlConnectionStringBuilder connection, PostgreSqlStorageOptions options)
    {
        var settings = new NpgsqlConnectionStringBuilder(connection.ConnectionString)
        {
            ApplicationName = connection.ApplicationName ?? "opslog",
            Enlist = false,            // what is acknowledged here must not hang on a transaction of the caller's
            Multiplexing = false,
            NoResetOnClose = true,     // no call leaves anything in a session, and poolers know no DISCARD
            PersistSecurityInfo = false,
            IncludeErrorDetail = false,
            LogParameters = false,
            TcpKeepAlive = true,
        };
        // Npgsql refuses them for one host, where there is no other to choose. Of several it would take any: a standby's reads are behind, and nobody would see it.
        if (settings.Host?.Contains(',', StringComparison.Ordinal) != true) settings.TargetSessionAttributes = null;
        else if (Environment.GetEnvironmentVariable("PGTARGETSESSIONATTRS") is null or "") settings.TargetSessionAttributes ??= "primary";
        var builder = new NpgsqlSlimDataSourceBuilder(settings.ConnectionString);
        builder.EnableTransportSecurity();
        builder.EnableIntegratedSecurity();
        if (options.PasswordProvider is { } password)
            builder.UsePasswordProvider(_ => throw new NotSupportedException("Connections are opened asynchronously here."), (_, ct) => password(ct));
        return builder.Build();
    }

    private static NpgsqlDataSource Listening(NpgsqlConnectionStringBuilder connection, PostgreSqlStorageOptions options) =>
        Source(new NpgsqlConnectionStringBuilder(connection.ConnectionString) { Pooling = false, KeepAlive = 30 }, options);

    private static void CheckStore(string store)
    {
        ArgumentException.ThrowIfNullOrEmpty(store);
        if (store.Length > MaxStoreLength || !IsText(store))
            throw new ArgumentException($"A store's name has 1 to {MaxStoreLength} characters, without control characters and lone surrogates.", nameof(store));
    }

    private static void CheckSchema(string schema)
    {
        ArgumentException.ThrowIfNullOrEmpty(schema);
        if (!IsText(schema) || Encoding.UTF8.GetByteCount(schema) > LongestSchema)
            throw new ArgumentException($"The name of a schema has 1 to {LongestSchema} bytes, without control characters and lone surrogates.", nameof(schema));
    }

    private static bool IsText(string text)
    {
        foreach (var rune in text.EnumerateRunes())
            if (Rune.IsControl(rune) || (rune == Rune.ReplacementChar && !text.Contains('\uFFFD', StringComparison.Ordinal))) return false;
        return true;
    }

    private static void RequireName(StorageKey key)
    {
        if (key.Value.Length == 0) throw new ArgumentException("The empty key is a prefix, not the name of an object.", nameof(key));
    }

    private NpgsqlParameter[] Name(StorageKey key) => [Database.Text(_store), Database.Text(key.Value)];
}
