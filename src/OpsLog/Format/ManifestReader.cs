using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace OpsLog.Format;

/// <summary>Reads manifests: whose they are, whether they are whole, and the package's members by the package's own rules.</summary>
internal static class ManifestReader
{
    public static ManifestReadResult Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (!Utf8.IsValid(bytes)) throw new FormatFault("the manifest is not UTF-8");
            var reader = NewReader(bytes);
            var members = new JsonMembers(ref reader, bytes);
            var package = ReadPackage(ref reader, ref members, bytes, isEcho: false, out var ours);
            reader.Read();
            return ours is { } range ? Judge(bytes[range], package) : new ManifestReadResult(ManifestVerdict.Peer) { Package = package };
        }
        catch (JsonException e)
        {
            var line = (int)(e.LineNumber ?? 0);
            return Corrupt($"the manifest is not one JSON object: {JsonIn.Describe(e)}") with { FaultLine = line + 1, FaultOffset = StartOf(bytes, line) };
        }
        catch (FormatFault e)
        {
            return Corrupt(e.Message);
        }
    }

    /// <summary>Checks our member against its checksum, its version and its echo.</summary>
    private static ManifestReadResult Judge(ReadOnlySpan<byte> ours, PackageMembers package)
    {
        var rented = ArrayPool<byte>.Shared.Rent(ours.Length);
        try
        {
            var minified = rented.AsSpan(0, JsonLines.Minify(ours, rented));
            var fault = Checksummed.Fault(minified, out var hasChecksum);
            if (!hasChecksum) return Corrupt(fault.Length > 0 ? $"opslog: {fault}" : "opslog: it does not end in a checksum");
            var (format, oldestReader) = ReadVersions(minified);
            if (format > FormatVersion.Current || oldestReader > FormatVersion.Current)
            {
                return new ManifestReadResult(ManifestVerdict.TooNew)
                {
                    Package = package,
                    Fault = $"format {format}, to be read from {oldestReader} on; this program reads up to {FormatVersion.Current}",
                };
            }

            var manifest = ManifestMembers.Read(minified);
            var changed = package.DifferencesFrom(manifest.Package);
            return new ManifestReadResult(changed.Count == 0 ? ManifestVerdict.Ours : ManifestVerdict.PeerWroteSince)
            {
                Package = package,
                Manifest = manifest,
                Changed = changed,
            };
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Reads the two members that every version of the format has, before anything that a newer one may have changed.</summary>
    private static (int Format, int OldestReader) ReadVersions(ReadOnlySpan<byte> ours)
    {
        var format = 0;
        var oldestReader = 0;
        var reader = NewReader(ours);
        var members = new JsonMembers(ref reader, ours);
        while (members.Next(ref reader))
        {
            if (members.Is("format"u8)) format = JsonMembers.Int(ref reader, "opslog.format", least: 1);
            else if (members.Is("reader"u8)) oldestReader = JsonMembers.Int(ref reader, "opslog.reader", least: 1);
            else reader.Skip();
        }

        if (format == 0 || oldestReader == 0) throw new FormatFault("opslog: format or reader is missing");
        return (format, oldestReader);
    }

    /// <summary>Reads the package's members from the object the walk is in.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="members">The walk, before its first member.</param>
    /// <param name="text">All the text.</param>
    /// <param name="isEcho">Whether agents are pairs, as in the echo.</param>
    /// <param name="ours">Where the member <c>opslog</c> stands.</param>
    public static PackageMembers ReadPackage(ref Utf8JsonReader reader, ref JsonMembers members, ReadOnlySpan<byte> text, bool isEcho, out Range? ours)
    {
        ours = null;
        var version = 0;
        string? snapshot = null;
        string? activeOps = null;
        List<string>? segments = null;
        PackageStats? stats = null;
        List<AgentOps>? agents = null;
        while (members.Next(ref reader))
        {
            if (members.Is("version"u8)) version = JsonMembers.Int(ref reader, "version", least: 1);
            else if (members.Is("currentSnapshot"u8)) snapshot = JsonMembers.Text(ref reader, "currentSnapshot");
            else if (members.Is("activeOps"u8)) activeOps = JsonMembers.Text(ref reader, "activeOps");
            else if (members.Is("archiveSegments"u8)) segments = ReadTexts(ref reader, "archiveSegments");
            else if (members.Is("stats"u8)) stats = ReadStats(ref reader, members);
            else if (members.Is("activeAgentOps"u8)) agents = isEcho ? ReadAgentPairs(ref reader) : ReadAgents(ref reader, members);
            else if (!isEcho && members.Is("opslog"u8))
            {
                JsonMembers.Expect(ref reader, JsonTokenType.StartObject, "opslog");
                ours = JsonIn.SkipValue(ref reader);
            }
            else RefuseRenamed(text[JsonIn.SkipValue(ref reader)], members);
        }

        return new PackageMembers
        {
            Version = version > 0 ? version : throw new FormatFault("version is missing"),
            CurrentSnapshot = snapshot ?? throw new FormatFault("currentSnapshot is missing"),
            ActiveOps = activeOps ?? throw new FormatFault("activeOps is missing"),
            ArchiveSegments = segments ?? throw new FormatFault("archiveSegments is missing"),
            Stats = stats ?? throw new FormatFault("stats is missing"),
            ActiveAgentOps = agents,
        };
    }

    /// <summary>A flipped bit in the name <c>opslog</c> must not make the store the package's: whatever its name, what ends in a checksum is ours.</summary>
    private static void RefuseRenamed(ReadOnlySpan<byte> value, scoped in JsonMembers members)
    {
        if (value.Length <= JsonLines.ChecksumTail || value[0] != '{') return;
        var rented = ArrayPool<byte>.Shared.Rent(value.Length);
        var minified = rented.AsSpan(0, JsonLines.Minify(value, rented));
        var isOurs = JsonLines.HasChecksumTail(minified);
        ArrayPool<byte>.Shared.Return(rented);
        if (isOurs) throw new FormatFault($"the member '{members.NameText()}' ends in a checksum, as only opslog does");
    }

    private static List<string> ReadTexts(ref Utf8JsonReader reader, string name)
    {
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, name);
        var texts = new List<string>();
        while (JsonMembers.NextElement(ref reader)) texts.Add(JsonMembers.Text(ref reader, $"{name}: an entry"));
        return texts;
    }

    private static PackageStats ReadStats(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        long? active = null;
        long? archived = null;
        long? operations = null;
        string? created = null;
        string? checkpoint = null;
        var members = outer.Enter(ref reader, "stats");
        while (members.Next(ref reader))
        {
            if (members.Is("activeRecords"u8)) active = JsonMembers.Integer(ref reader, "stats.activeRecords");
            else if (members.Is("archivedRecords"u8)) archived = JsonMembers.Integer(ref reader, "stats.archivedRecords");
            else if (members.Is("opsCount"u8)) operations = JsonMembers.Integer(ref reader, "stats.opsCount");
            else if (members.Is("created"u8)) created = JsonMembers.Text(ref reader, "stats.created");
            else if (members.Is("lastCheckpoint"u8)) checkpoint = JsonMembers.Text(ref reader, "stats.lastCheckpoint");
            else reader.Skip();
        }

        return new PackageStats(
            active ?? throw new FormatFault("stats.activeRecords is missing"),
            archived ?? throw new FormatFault("stats.archivedRecords is missing"),
            operations ?? throw new FormatFault("stats.opsCount is missing"),
            created ?? throw new FormatFault("stats.created is missing"),
            checkpoint ?? throw new FormatFault("stats.lastCheckpoint is missing"));
    }

    /// <summary>Reads the package's object; of an agent named twice, the last log counts.</summary>
    private static List<AgentOps> ReadAgents(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        var agents = new List<AgentOps>();
        var indexes = new Dictionary<string, int>(StringComparer.Ordinal);
        var members = outer.Enter(ref reader, "activeAgentOps");
        while (members.Next(ref reader))
        {
            var entry = new AgentOps(members.NameText(), JsonMembers.Text(ref reader, "activeAgentOps: a log"));
            if (indexes.TryAdd(entry.Agent, agents.Count)) agents.Add(entry);
            else agents[indexes[entry.Agent]] = entry;
        }

        return agents;
    }

    private static List<AgentOps> ReadAgentPairs(ref Utf8JsonReader reader)
    {
        const string Name = "opslog.echo.activeAgentOps";
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, Name);
        var agents = new List<AgentOps>();
        while (JsonMembers.NextElement(ref reader))
        {
            JsonMembers.Expect(ref reader, JsonTokenType.StartArray, Name);
            reader.Read();
            var agent = JsonMembers.AnyText(ref reader, Name);
            reader.Read();
            agents.Add(new AgentOps(agent, JsonMembers.Text(ref reader, Name)));
            reader.Read();
            JsonMembers.Expect(ref reader, JsonTokenType.EndArray, Name);
        }

        return agents;
    }

    private static Utf8JsonReader NewReader(ReadOnlySpan<byte> text) => new(text, new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth });

    // Where a line starts, counted from 0.
    private static int StartOf(ReadOnlySpan<byte> bytes, int line)
    {
        var start = 0;
        for (; line > 0; line--) start += bytes[start..].IndexOf((byte)'\n') + 1;
        return start;
    }

    private static ManifestReadResult Corrupt(string fault) => new(ManifestVerdict.Corrupt) { Fault = fault };
}
