using System.Globalization;
using Npgsql;

namespace OpsLog.PostgreSql;

/// <summary>
/// A location, taken apart: <c>postgres://[user[:password]@]host[:port][,host…]/database?store=name</c>, the form of libpq. Names and passwords are percent-encoded.
/// </summary>
/// <param name="Connection">How to connect.</param>
/// <param name="Listen">How to connect for listening; null: the same.</param>
/// <param name="Store">The store's name.</param>
/// <param name="Schema">The schema of the tables; null: the option's.</param>
internal sealed record PostgreSqlUri(NpgsqlConnectionStringBuilder Connection, NpgsqlConnectionStringBuilder? Listen, string Store, string? Schema)
{
    private const string Form = "Write postgres://host:port/database?store=name.";

    /// <exception cref="ArgumentException">The text is no such URI. The message repeats nothing of it but names of members.</exception>
    public static PostgreSqlUri Parse(string uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        var start = uri.IndexOf("://", StringComparison.Ordinal);
        if (start < 0 || !(uri.AsSpan(0, start).Equals("postgres", StringComparison.OrdinalIgnoreCase) || uri.AsSpan(0, start).Equals("postgresql", StringComparison.OrdinalIgnoreCase)))
            throw Malformed("It does not begin with postgres://.");
        var rest = uri[(start + 3)..];
        if (rest.Contains('#', StringComparison.Ordinal)) throw Malformed("A '#' must be written %23.");
        var query = rest.IndexOf('?', StringComparison.Ordinal);
        var place = query < 0 ? rest : rest[..query];
        var slash = place.IndexOf('/', StringComparison.Ordinal);
        var authority = slash < 0 ? place : place[..slash];
        if (slash >= 0 && place.IndexOf('/', slash + 1) is >= 0) throw Malformed("It has more than a database behind the host.");

        var connection = new NpgsqlConnectionStringBuilder();
        var at = authority.LastIndexOf('@');
        if (at >= 0) User(connection, authority[..at]);
        Hosts(connection, authority[(at + 1)..]);
        if (slash >= 0 && slash + 1 < place.Length) connection.Database = Decode(place[(slash + 1)..]);
        var (store, schema, listen) = Members(connection, query < 0 ? "" : rest[(query + 1)..]);
        NpgsqlConnectionStringBuilder? listening = null;
        if (listen is not null)
        {
            listening = new NpgsqlConnectionStringBuilder(connection.ConnectionString);
            Hosts(listening, listen);
        }

        return new PostgreSqlUri(connection, listening, store ?? throw Malformed("It names no store."), schema);
    }

    private static void User(NpgsqlConnectionStringBuilder connection, string user)
    {
        var colon = user.IndexOf(':', StringComparison.Ordinal);
        connection.Username = Decode(colon < 0 ? user : user[..colon]);
        if (colon >= 0) connection.Password = Decode(user[(colon + 1)..]);
    }

    // Npgsql takes several hosts as "a:1,b:2", and one with its port apart.
    private static void Hosts(NpgsqlConnectionStringBuilder connection, string hosts)
    {
        if (hosts.Length == 0) throw Malformed("It names no host.");
        if (hosts.Contains(',', StringComparison.Ordinal))
        {
            connection.Host = Decode(hosts);
            return;
        }

        var colon = hosts.LastIndexOf(':');
        if (colon < 0 || hosts.EndsWith(']'))
        {
            connection.Host = Decode(hosts.Trim('[', ']'));
            return;
        }

        if (!int.TryParse(hosts.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is 0 or > 65535)
            throw Malformed("Its port is not a number from 1 to 65535.");
        connection.Host = Decode(hosts[..colon].Trim('[', ']'));
        connection.Port = port;
    }

    private static (string? Store, string? Schema, string? Listen) Members(NpgsqlConnectionStringBuilder connection, string query)
    {
        string? store = null, schema = null, listen = null;
        foreach (var member in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var end = member.IndexOf('=', StringComparison.Ordinal);
            if (end < 0) throw Malformed("A member behind the '?' has no value.");
            var (name, value) = (member[..end], Decode(member[(end + 1)..]));
            switch (name)
            {
                case "store": store = value; break;
                case "schema": schema = value; break;
                case "listen": listen = value; break;
                default: Set(connection, name, value); break;
            }
        }

        return (store, schema, listen);
    }

    private static void Set(NpgsqlConnectionStringBuilder connection, string name, string value)
    {
        var keyword = name switch
        {
            "sslmode" => "SSL Mode",
            "sslrootcert" => "Root Certificate",
            "sslcert" => "SSL Certificate",
            "sslkey" => "SSL Key",
            "user" => "Username",
            "password" => "Password",
            "passfile" => "Passfile",
            "connect_timeout" => "Timeout",
            "application_name" => "Application Name",
            "options" => "Options",
            "target_session_attrs" => "Target Session Attributes",
            "gssencmode" => "GSS Encryption Mode",
            "channel_binding" => "Channel Binding",
            _ => throw Malformed("It has a member that is not known: store, schema, listen and libpq's sslmode, sslrootcert, sslcert, sslkey, user, password, passfile, "
                + "connect_timeout, application_name, options, target_session_attrs, gssencmode and channel_binding are."),
        };
        // "verify-full" is VerifyFull there; "read-write" is written alike.
        if (name is "sslmode") value = value.Replace("-", "", StringComparison.Ordinal);
        try
        {
            connection[keyword] = value;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException or OverflowException)
        {
            throw Malformed($"Its member {name} has a value that is none.");
        }
    }

    private static string Decode(string text) => Uri.UnescapeDataString(text);

    private static ArgumentException Malformed(string fault) => new($"The location is no store in PostgreSQL. {fault} {Form}");
}
