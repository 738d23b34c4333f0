using System.Buffers;

namespace OpsLog.Format;

/// <summary>The manifest: the package's members, and ours in the member <c>opslog</c> (docs/format.md, Manifest).</summary>
internal static class ManifestCodec
{
    /// <summary>Writes a manifest, indented as the package does it.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="package">The package's members where the package has written them since: the echo stays what we wrote. Null: they are ours.</param>
    public static byte[] Write(Manifest manifest, PackageMembers? package = null)
    {
        // The checksum covers the minified form, so that a rewrite by JSON.parse and JSON.stringify keeps it valid.
        var minified = new ArrayBufferWriter<byte>();
        var covered = new JsonOut(minified, pretty: false);
        covered.BeginObject();
        WriteOurs(covered, manifest);
        var checksum = JsonLines.Checksum(minified.WrittenSpan);

        var output = new ArrayBufferWriter<byte>();
        var json = new JsonOut(output, pretty: true);
        json.BeginObject();
        WritePackage(json, package ?? manifest.Package, isEcho: false);
        json.Name("opslog");
        json.BeginObject();
        WriteOurs(json, manifest);
        json.Member("crc", JsonLines.Hex(checksum));
        json.EndObject();
        json.EndObject();
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Reads a manifest, the package's or ours; never throws, whatever the bytes.</summary>
    public static ManifestReadResult Read(ReadOnlySpan<byte> bytes) => ManifestReader.Read(bytes);

    private static void WritePackage(JsonOut json, PackageMembers members, bool isEcho)
    {
        json.Member("version", members.Version);
        json.Member("currentSnapshot", members.CurrentSnapshot);
        json.Member("activeOps", members.ActiveOps);
        if (members.ActiveAgentOps is { } agents) WriteAgents(json, agents, isEcho);
        WriteTexts(json, "archiveSegments", members.ArchiveSegments);
        json.Name("stats");
        json.BeginObject();
        json.Member("activeRecords", members.Stats.ActiveRecords);
        json.Member("archivedRecords", members.Stats.ArchivedRecords);
        json.Member("opsCount", members.Stats.OpsCount);
        json.Member("created", members.Stats.Created);
        json.Member("lastCheckpoint", members.Stats.LastCheckpoint);
        json.EndObject();
    }

    /// <summary>An object to the package; pairs in the echo, because JavaScript reorders names that look like integers and the checksum covers the echo.</summary>
    private static void WriteAgents(JsonOut json, IReadOnlyList<AgentOps> agents, bool isEcho)
    {
        json.Name("activeAgentOps");
        if (isEcho) json.BeginArray();
        else json.BeginObject();
        foreach (var (agent, log) in agents)
        {
            if (!isEcho)
            {
                json.Member(agent, log);
                continue;
            }

            json.BeginArray();
            json.Value(agent);
            json.Value(log);
            json.EndArray();
        }

        if (isEcho) json.EndArray();
        else json.EndObject();
    }

    /// <summary>All members of ours but the checksum, into an object that is open.</summary>
    private static void WriteOurs(JsonOut json, Manifest manifest)
    {
        json.Member("format", FormatVersion.Current);
        json.Member("reader", FormatVersion.OldestReader);
        json.Member("revision", manifest.Revision);
        if (manifest.Nonce.Length > 0) json.Member("nonce", manifest.Nonce);
        json.Member("incarnation", manifest.Incarnation);
        json.Member("numbered", manifest.Numbered);
        WriteSnapshot(json, manifest.Snapshot);
        json.List("logs", manifest.Logs, WriteLog);
        json.List("retired", manifest.Retired, WriteRetired);
        WriteTexts(json, "reserved", manifest.Reserved);
        json.Name("history");
        if (manifest.History is { } history)
        {
            json.BeginObject();
            json.Member("name", history.Name);
            json.Member("bytes", history.Bytes);
            json.EndObject();
        }
        else
        {
            json.Null();
        }

        json.List("archives", manifest.Archives, WriteArchive);
        json.Name("exclusive");
        if (manifest.Exclusive is { } exclusive) json.Value(exclusive);
        else json.Null();
        json.List("garbage", manifest.Garbage, WriteGarbage);
        json.Member("adopted", manifest.Adopted);
        json.Name("echo");
        json.BeginObject();
        WritePackage(json, manifest.Package, isEcho: true);
        json.EndObject();
    }

    private static void WriteSnapshot(JsonOut json, SnapshotEntry snapshot)
    {
        json.Name("snapshot");
        json.BeginObject();
        json.Member("name", snapshot.Name);
        json.Member("length", snapshot.Length);
        json.Member("crc", JsonLines.Hex(snapshot.Checksum));
        json.Member("count", snapshot.Count);
        json.Member("clock", snapshot.Clock);
        json.Member("floor", snapshot.Floor);
        json.EndObject();
    }

    private static void WriteLog(JsonOut json, LogEntry log)
    {
        json.Member("name", log.Name);
        json.Member("agent", log.Agent);
        json.Member("start", log.Start);
        json.Member("schema", log.Schema);
        json.Member("covered", log.Covered);
        json.Member("clock", log.Clock);
        json.Member("sealed", log.Sealed);
    }

    private static void WriteRetired(JsonOut json, RetiredLog log)
    {
        json.Member("name", log.Name);
        json.Member("agent", log.Agent);
        json.Member("length", log.Length);
        json.Member("schema", log.Schema);
        json.Member("clock", log.Clock);
    }

    private static void WriteArchive(JsonOut json, ArchiveEntry archive)
    {
        json.Member("period", archive.Period);
        json.List("objects", archive.Objects, static (json, part) =>
        {
            json.Member("name", part.Name);
            json.Member("records", part.Records);
            if (part.Schema > 0) json.Member("schema", part.Schema);
        });
    }

    private static void WriteGarbage(JsonOut json, GarbageEntry entry)
    {
        json.Member("name", entry.Name);
        json.Member("bytes", entry.Bytes);
        json.Member("since", IsoTime.ToText(entry.Since));
    }

    private static void WriteTexts(JsonOut json, string name, IReadOnlyList<string> texts)
    {
        json.Name(name);
        json.BeginArray();
        foreach (var text in texts) json.Value(text);
        json.EndArray();
    }
}
