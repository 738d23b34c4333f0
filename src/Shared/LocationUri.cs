namespace OpsLog.Storage;

/// <summary>
/// A URI taken apart: <c>scheme://container/prefix?name=value</c>. By hand, for the base library would shorten <c>..</c> before anybody sees it.
/// Nothing of the URI is repeated in an exception: people put keys into URIs.
/// </summary>
internal sealed class LocationUri
{
    private readonly Dictionary<string, string> _settings = new(StringComparer.Ordinal);

    /// <exception cref="ArgumentException">It is malformed, holds credentials, or has a setting that is not known.</exception>
    public LocationUri(string uri, string scheme, params ReadOnlySpan<string> known)
    {
        ArgumentException.ThrowIfNullOrEmpty(uri);
        var start = scheme + "://";
        var form = $"'{start}NAME/PREFIX?{string.Join("=…&", known)}=…'";
        if (!uri.StartsWith(start, StringComparison.OrdinalIgnoreCase)) throw Malformed(uri, $"It has to be {form}.");
        var rest = uri[start.Length..];
        if (rest.Contains('#', StringComparison.Ordinal)) throw Malformed(uri, $"It has to be {form}, without '#'.");
        var question = rest.IndexOf('?', StringComparison.Ordinal);
        var path = question < 0 ? rest : rest[..question];
        if (path.Contains('@', StringComparison.Ordinal))
            throw Malformed(uri, "It must not hold credentials (what stands before '@'): they come from the client library's own sources, such as environment variables.");
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        Container = slash < 0 ? path : path[..slash];
        Prefix = slash < 0 ? "" : Uri.UnescapeDataString(path[(slash + 1)..]);
        if (Container.Length == 0) throw Malformed(uri, $"It has to be {form}.");
        if (question < 0) return;
        foreach (var pair in rest[(question + 1)..].Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2);
            if (!known.Contains(parts[0]) || parts.Length != 2) throw Malformed(uri, $"It has a setting that is not known. Known: {string.Join(", ", known)}.");
            if (!_settings.TryAdd(parts[0], Uri.UnescapeDataString(parts[1]))) throw Malformed(uri, $"It says '{parts[0]}' twice.");
        }
    }

    public string Container { get; }

    public string Prefix { get; }

    /// <summary>A setting's value; null: it is not given.</summary>
    public string? this[string name] => _settings.GetValueOrDefault(name);

    /// <exception cref="ArgumentException">It is no http or https address, or holds credentials.</exception>
    public static void RequireEndpoint(string? endpoint, string parameter)
    {
        if (endpoint is null) return;
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var address) || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps))
            throw new ArgumentException("An endpoint is an address that begins with 'http://' or 'https://'.", parameter);
        if (address.UserInfo.Length > 0 || address.Query.Length > 0)
            throw new ArgumentException("An endpoint must not hold credentials: no user, no password, no query.", parameter);
    }

    // By the name of every factory's parameter; the value stays out.
    private static ArgumentException Malformed(string uri, string why) => new($"The URI is malformed ({uri.Length} characters). {why}", nameof(uri));
}
