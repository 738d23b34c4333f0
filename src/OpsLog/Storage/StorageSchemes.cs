using System.Collections.Concurrent;

namespace OpsLog.Storage;

/// <summary>Makes the storage that a location names. It makes no request: what is wrong with the server shows at the first call.</summary>
/// <param name="location">The location as it was given, a URI of the scheme the factory is registered for.</param>
/// <param name="timeProvider">The clock it waits on.</param>
/// <param name="random">Its random source; <see langword="null"/>: the system's.</param>
/// <exception cref="ArgumentException">The location is malformed. The message holds no secret.</exception>
public delegate IOpsStorage StorageFactory(string location, TimeProvider timeProvider, Random? random);

/// <summary>
/// Which storage a location names. Folders and <c>file://</c> URIs are known; the storages of other packages are registered, once at the program's start, by
/// their <c>Register</c> methods. Nothing is found by reflection.
/// </summary>
/// <remarks>Safe for concurrent calls.</remarks>
public static class StorageSchemes
{
    private const string Separator = "://";

    private static readonly ConcurrentDictionary<string, StorageFactory> s_factories = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Makes locations of a scheme known. The last registration of a scheme counts.</summary>
    /// <param name="scheme">What stands before <c>://</c>; case does not matter.</param>
    /// <param name="factory">Makes the storage.</param>
    /// <exception cref="ArgumentException">The scheme is not letters, digits, <c>+</c>, <c>-</c> and <c>.</c>, or is <c>file</c>.</exception>
    public static void Register(string scheme, StorageFactory factory)
    {
        ArgumentException.ThrowIfNullOrEmpty(scheme);
        ArgumentNullException.ThrowIfNull(factory);
        if (!Uri.CheckSchemeName(scheme) || scheme.Equals("file", StringComparison.OrdinalIgnoreCase))
            throw new ArgumentException($"'{scheme}' cannot be registered as a scheme.", nameof(scheme));
        s_factories[scheme] = factory;
    }

    /// <summary>The storage of a location. Dispose it when done.</summary>
    /// <param name="location">A folder's path, a <c>file://</c> URI, or a URI of a registered scheme.</param>
    /// <param name="timeProvider">The clock the storage waits on. Default: the system's.</param>
    /// <param name="random">The storage's random source. Default: the system's.</param>
    /// <exception cref="ArgumentException">The location is malformed or of a kind that is not registered. The message holds no secret.</exception>
    public static IOpsStorage Open(string location, TimeProvider? timeProvider = null, Random? random = null) =>
        Open(location, timeProvider ?? TimeProvider.System, random, mapReads: true);

    /// <summary>The same.</summary>
    /// <param name="location">As there.</param>
    /// <param name="timeProvider">As there.</param>
    /// <param name="random">As there.</param>
    /// <param name="mapReads">Of a folder: <see cref="FileStorageOptions.MapReads"/>.</param>
    internal static IOpsStorage Open(string location, TimeProvider timeProvider, Random? random, bool mapReads)
    {
        ArgumentException.ThrowIfNullOrEmpty(location);
        if (SchemeOf(location) is not { } scheme) return Folder(location, timeProvider, random, mapReads);
        if (scheme.Equals("file", StringComparison.OrdinalIgnoreCase))
        {
            if (FileUriPath(location) is { } path) return Folder(path, timeProvider, random, mapReads);
            throw new ArgumentException("The file URI is malformed: write file:///path/to/folder, with # as %23 and ? as %3F.", nameof(location));
        }

        if (s_factories.TryGetValue(scheme, out var factory)) return factory(location, timeProvider, random);
        throw new ArgumentException(Unknown(scheme), nameof(location));
    }

    /// <summary>A location as it may be shown: without user and password, and without the values of query members that may be secret.</summary>
    /// <param name="location">A location; malformed ones too.</param>
    public static string Redact(string location)
    {
        ArgumentNullException.ThrowIfNull(location);
        if (SchemeOf(location) is not { } scheme || scheme.Equals("file", StringComparison.OrdinalIgnoreCase)) return location;
        var rest = location[(scheme.Length + Separator.Length)..];
        // A password may hold what ends a host or begins a query: everything before the last '@' goes, unless it is plainly part of a path.
        var user = rest.LastIndexOf('@');
        if (user >= 0 && (rest.AsSpan(0, user).Contains(':') || !rest.AsSpan(0, user).Contains('/'))) rest = rest[(user + 1)..];
        var query = rest.IndexOf('?', StringComparison.Ordinal);
        var (place, members) = query < 0 ? (rest, null) : (rest[..query], rest[(query + 1)..].Split('&'));
        return scheme + Separator + place + (members is null ? "" : "?" + string.Join('&', members.Select(Member)));
    }

    /// <summary>What stands before <c>://</c>; null where a location is a path.</summary>
    private static string? SchemeOf(string location)
    {
        var end = location.IndexOf(Separator, StringComparison.Ordinal);
        return end > 0 && Uri.CheckSchemeName(location[..end]) ? location[..end] : null;
    }

    // A path with a host is a share: only Windows has those, elsewhere it would be a name in the current folder.
    private static string? FileUriPath(string location)
    {
        if (!Uri.TryCreate(location, UriKind.Absolute, out var uri) || !uri.IsFile || uri.Fragment.Length + uri.Query.Length > 0) return null;
        if (uri.Host == "localhost") uri = new UriBuilder(uri) { Host = "" }.Uri;
        return uri.Host.Length == 0 || OperatingSystem.IsWindows() ? uri.LocalPath : null;
    }

    private static FileStorage Folder(string path, TimeProvider timeProvider, Random? random, bool mapReads) =>
        new(path, new FileStorageOptions { TimeProvider = timeProvider, Random = random, MapReads = mapReads });

    private static string Member(string member)
    {
        var end = member.IndexOf('=', StringComparison.Ordinal);
        var name = end < 0 ? "" : member[..end];
        return IsHarmless(name) ? member : name.Length > 0 && name.All(c => char.IsAsciiLetter(c) || c is '_' or '-') ? name + "=***" : "***";
    }

    // What is not known to be harmless is not shown.
    private static bool IsHarmless(string name) => name.ToUpperInvariant() is
        "STORE" or "SCHEMA" or "ENDPOINT" or "REGION" or "ACCOUNT" or "SSLMODE" or "LISTEN" or "APPLICATION_NAME" or "CONNECT_TIMEOUT" or "TARGET_SESSION_ATTRS";

    /// <summary>What to do about a scheme that is not registered.</summary>
    internal static string Unknown(string scheme)
    {
        var (package, storage) = scheme.ToUpperInvariant() switch
        {
            "S3" => ("OpsLog.S3", "S3Storage"),
            "AZBLOB" => ("OpsLog.AzureBlobs", "AzureBlobStorage"),
            "POSTGRES" or "POSTGRESQL" => ("OpsLog.PostgreSql", "PostgreSqlStorage"),
            _ => (null, null),
        };
        return package is null
            ? $"'{scheme}' is no storage that is known here. Give a folder, register the scheme, or open the storage yourself and pass it to OpenAsync."
            : $"'{scheme}' needs the package {package}: call {storage}.Register() once before opening, or open the storage yourself and pass it to OpenAsync.";
    }
}
