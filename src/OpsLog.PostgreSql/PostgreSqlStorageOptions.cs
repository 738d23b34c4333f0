namespace OpsLog.PostgreSql;

/// <summary>The settings of a <see cref="PostgreSqlStorage"/>. Read once, when the storage is made.</summary>
public sealed class PostgreSqlStorageOptions
{
    /// <summary>The database schema the tables lie in. Default: <c>public</c>. At most 63 bytes as UTF-8.</summary>
    public string Schema { get; set; } = "public";

    /// <summary>
    /// Whether the first write makes the tables where they are missing. Default: true. If the role may not, or with false, somebody who may
    /// runs <see cref="PostgreSqlStorage.TablesSql"/> once.
    /// </summary>
    public bool CreateTables { get; set; } = true;

    /// <summary>
    /// Whether writers send notices of their changes and <see cref="PostgreSqlStorage.NextChangeAsync"/> listens for them, on a connection of its own
    /// that is opened when somebody first waits. Default: true. With false, watchers look five times a second.
    /// </summary>
    public bool Notices { get; set; } = true;

    /// <summary>
    /// The connection string to listen on, if <c>LISTEN</c> does not work on the other one: a pooler that shares sessions delivers no notices. Default:
    /// <see langword="null"/>, the same server. Where no notice arrives, watchers look once a second.
    /// </summary>
    public string? ListenConnectionString { get; set; }

    /// <summary>Asked for the password of each new connection, for tokens that expire. Default: <see langword="null"/>, as the connection string and the environment say.</summary>
    public Func<CancellationToken, ValueTask<string>>? PasswordProvider { get; set; }

    /// <summary>
    /// How long a call goes on trying while the server is out of reach, restarting, overloaded, takes no writes (a switchover), or rolls back for a conflict between transactions.
    /// Default: 10 s; zero to 1 hour. A try under way when the time ends is waited for.
    /// </summary>
    public TimeSpan RetryFor { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether to write to a server that runs with <c>fsync = off</c>, which may lose everything at a power loss. Default: false, writing is refused.
    /// </summary>
    public bool AllowServerWithoutFsync { get; set; }

    /// <summary>The clock that waits between tries go by. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Where versions and the length of waits come from, so that a run can be replayed; used under a lock. Default: <see langword="null"/>, the system's random number generator.</summary>
    public Random? Random { get; set; }
}
