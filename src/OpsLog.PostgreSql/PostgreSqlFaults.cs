using System.Net.Sockets;
using System.Security.Authentication;
using Npgsql;
using OpsLog.Storage;

namespace OpsLog.PostgreSql;

/// <summary>What a failure means.</summary>
/// <param name="Fault">What the caller can do.</param>
/// <param name="Advice">The same in words; what happened stands before it.</param>
/// <param name="MayPass">Whether to try again.</param>
/// <param name="RolledBack">Whether the server has said that it did nothing. If not, a write that was sent may have happened, or may yet.</param>
internal readonly record struct Failure(StorageFault Fault, string Advice, bool MayPass, bool RolledBack)
{
    /// <summary>Whether the pool's other connections, and what is known of several servers, are of no more use: the next try begins without them.</summary>
    public bool IsStale { get; init; }
}

/// <summary>What SQLSTATE and broken connections mean; the only place that knows.</summary>
internal static class PostgreSqlFaults
{
    /// <summary>Whether the client library failed; other exceptions are the caller's content's.</summary>
    public static bool IsOurs(Exception exception, bool connecting) =>
        exception is NpgsqlException || (connecting && exception is TimeoutException or SocketException or AuthenticationException);

    /// <summary>
    /// Whether a notice says that a commit stands on this server while its synchronous standby may not have it: the wait was cancelled by a timeout or somebody, or the server is
    /// being shut down. The words are the server's language; the place that it comes from is not.
    /// </summary>
    public static bool IsLocal(PostgresNotice notice) => notice is { Routine: "SyncRepWaitForLSN" } or { SqlState: "57P01" };

    /// <summary>Whether the server does not have a function or feature.</summary>
    public static bool IsUnknown(PostgresException exception) => exception.SqlState is "42883" or "0A000";

    /// <param name="exception">What the client library threw.</param>
    /// <param name="connecting">Whether there was no connection yet.</param>
    /// <param name="several">Whether it has several servers to choose from.</param>
    public static Failure Of(Exception exception, bool connecting, bool several = false) => exception switch
    {
        PostgresException e => OfState(e.SqlState),
        // One for each server: what passes on one of them may pass.
        { InnerException: AggregateException all } when connecting && several => all.InnerExceptions.Select(one => Of(one, connecting)).MaxBy(failure => failure.MayPass),
        _ when exception is AuthenticationException || exception.InnerException is AuthenticationException =>
            new(StorageFault.Denied, "The server's certificate was not accepted, or no encryption agreed on. Look at the TLS settings.", MayPass: false, RolledBack: connecting),
        // It tried none, for each was out of reach or a standby a moment ago. In a failover one of them is about to change.
        NpgsqlException { InnerException: null } when connecting && several =>
            Passing(StorageFault.Unavailable, "The servers are out of reach, or none is what target_session_attrs asks for. Try again later.") with { IsStale = true },
        NpgsqlException { IsTransient: false, InnerException: null } when connecting =>
            new(StorageFault.Denied, "Look at user, password and TLS settings.", MayPass: false, RolledBack: true),
        _ => new(StorageFault.Unavailable, "Try again later.", MayPass: true, RolledBack: connecting),
    };

    private static Failure OfState(string state) => state switch
    {
        "40001" or "40P01" or "55P03" or "23505" => Passing(StorageFault.Throttled, "Transactions kept getting in each other's way. Try again later."),
        "40003" => new(StorageFault.Unavailable, "Try again later.", MayPass: true, RolledBack: false),
        "53100" => Lasting(StorageFault.Full, "The server's disk is full. Make room."),
        "53200" or "53300" or "53400" => Passing(StorageFault.Throttled, "The server is short of memory or connections. Try again later."),
        // Told while a commit waits for a standby, the commit stands.
        "57P01" or "57P02" => new(StorageFault.Unavailable, "The server is being shut down. Try again later.", MayPass: true, RolledBack: false),
        "57P03" => Passing(StorageFault.Unavailable, "The server is starting or shutting down. Try again later."),
        // The session had nothing to do when it ended, so nothing was done; the others have been as idle.
        "57P05" or "25P03" => Passing(StorageFault.Unavailable, "The server ends sessions that are idle, by a timeout of the role or its own. Try again later.") with { IsStale = true },
        "57014" or "25P04" => Lasting(StorageFault.Unavailable, "The server cancelled it: a timeout of the role, or somebody's request. Try again later."),
        // After a switchover the pool's connections lead to a server that is no longer the primary.
        "25006" => Passing(StorageFault.Denied, "The server takes no writes: it is a standby, or read-only. Connect to the primary.") with { IsStale = true },
        "42501" => Lasting(StorageFault.Denied, "The role may not. Grant it SELECT, INSERT, UPDATE and DELETE on the tables, and USAGE on their schema."),
        "42P01" or "3F000" => Lasting(StorageFault.Denied, "The tables are gone. Look at the schema's name, or make them: docs/storage.md has the SQL."),
        "3D000" => Lasting(StorageFault.Denied, "There is no such database. Create it, or look at its name."),
        "22021" or "22P05" => Lasting(StorageFault.BadName, "The database's encoding lacks a character of the name. Use a database with encoding UTF8."),
        "54000" => Lasting(StorageFault.BadName, "The name is too long for the server's index."),
        "58030" or "XX001" or "XX002" => new(StorageFault.Broken, "The server cannot read or write its own files. Look at its log.", MayPass: false, RolledBack: true),
        _ when state.StartsWith("28", StringComparison.Ordinal) => Lasting(StorageFault.Denied, "Look at user, password and the server's pg_hba.conf."),
        _ when state.StartsWith("08", StringComparison.Ordinal) => new(StorageFault.Unavailable, "Try again later.", MayPass: true, RolledBack: false),
        _ when state.StartsWith("53", StringComparison.Ordinal) || state.StartsWith("55", StringComparison.Ordinal) => Passing(StorageFault.Throttled, "Try again later."),
        _ => Lasting(StorageFault.Broken, "Look at the server's log."),
    };

    private static Failure Passing(StorageFault fault, string advice) => new(fault, advice, MayPass: true, RolledBack: true);

    private static Failure Lasting(StorageFault fault, string advice) => new(fault, advice, MayPass: false, RolledBack: true);
}
