using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpsLog.Format;
using OpsLog.Storage;
using static OpsLog.Tests.BadInput.BadInputCase;

namespace OpsLog.Tests.BadInput;

/// <summary>The rows of the section Stores: what lies in the folder is the bad input. The tool is given the same folder, to export it.</summary>
internal static class StoreCases
{
    public static IEnumerable<(string Key, BadInputCase Case)> All => Stores.Select(c => ("Stores: " + c.Given, c.Case));

    private static (string Given, BadInputCase Case)[] Stores =>
    [
        ("a folder without a store, opened read-only", Reading(folder =>
        {
            Directory.CreateDirectory(folder);
            return Task.CompletedTask;
        })),
        ("a folder that is not there, opened read-only", Reading(_ => Task.CompletedTask)),
        ("a file where the folder should be, opened for writing", OnOpening(_ => { }) with
        {
            Prepare = folder => File.WriteAllTextAsync(folder, "a file"),
            Arguments = s => ["set", s, "a", "{}"],
        }),
        ("a folder where the manifest should be", Reading(folder =>
        {
            Directory.CreateDirectory(Path.Combine(folder, "manifest.json"));
            return Task.CompletedTask;
        })),
        ("a store that another writer has open", new BadInputCase(SecondWriterAsync)
        {
            Arguments = s => ["set", s, "a", "{}"],
        }),
        ("a store with a newer schema version than the program's", OnOpening(o => o.SchemaVersion = 1) with
        {
            Prepare = async folder => await (await OpenAsync(folder, o => o.SchemaVersion = 2)).DisposeAsync(),
        }),
        ("a manifest of a newer format", Manifest(OfNewerFormat)),
        ("no manifest, but a log that holds lines", Broken(store => File.Delete(Path.Combine(store, "manifest.json")))),
        ("an empty manifest", Manifest(_ => "")),
        ("a manifest that is not JSON", Manifest(text => text[..(text.Length / 2)])),
        ("a manifest whose own part was changed", Manifest(text => text.Replace("\"adopted\": false", "\"adopted\": true", StringComparison.Ordinal))),
        ("a manifest of the package that names a snapshot outside the store", Manifest(_ => """
            {"version":1,"currentSnapshot":"../outside.jsonl","activeOps":"ops/ops-1.jsonl","archiveSegments":[],
             "stats":{"activeRecords":0,"archivedRecords":0,"opsCount":0,"created":"","lastCheckpoint":""}}
            """)),
        ("a store of the package with an id of more than 16,777,215 bytes", Reading(folder =>
        {
            Write("manifest.json", """
                {"version":1,"currentSnapshot":"snapshots/snap-1.jsonl","activeOps":"ops/ops-1.jsonl","archiveSegments":[],
                 "stats":{"activeRecords":1,"archivedRecords":0,"opsCount":0,"created":"2026-01-01T00:00:00.000Z","lastCheckpoint":"2026-01-01T00:00:00.000Z"}}
                """);
            Write("snapshots/snap-1.jsonl", $"{{\"version\":1,\"timestamp\":\"2026-01-01T00:00:00.000Z\"}}\n{{\"id\":\"{new string('x', 1 << 24)}\",\"data\":{{}}}}\n");
            Write("ops/ops-1.jsonl", "");
            return Task.CompletedTask;

            void Write(string name, string text)
            {
                var file = Path.Combine(folder, name);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                File.WriteAllText(file, text);
            }
        })),
        ("a store of a storage that does not append, copied object by object", Reading(NumberedAsync)),
        ("a snapshot that is gone", Broken(store => File.Delete(Snapshot(store)))),
        ("a snapshot that was cut", Broken(store => Rewrite(Snapshot(store), bytes => bytes[..^40]))),
        ("a snapshot with a changed byte", Broken(store => Rewrite(Snapshot(store), Changed("in the snapshot")))),
        ("a log that is gone", Broken(store => File.Delete(Log(store)))),
        ("a log line with a changed byte", Broken(store => Rewrite(Log(store), Changed("in the log")))),
        ("a log line that is there twice", Broken(store => RewriteLines(Log(store), lines => [lines[0], .. lines]))),
        ("a log line that is not JSON", Broken(store => RewriteLines(Log(store), lines => [lines[0], "hello", .. lines[1..]]))),
        ("a batch that lacks a line in the middle", Broken(store => RewriteLines(Log(store), lines => [.. lines[..4], .. lines[5..]]))),
        ("a last line that was never finished, opened strictly", OnOpening(o => (o.ReadOnly, o.Recovery) = (true, Recovery.Strict)) with
        {
            Prepare = After(store => Rewrite(Log(store), bytes => bytes[..^5])),
            Arguments = s => ["export", s, "--recovery", "strict"],
        }),
        ("a history index that is gone, opened strictly", OnOpening(o => (o.ReadOnly, o.Recovery) = (true, Recovery.Strict)) with
        {
            Prepare = After(store => File.Delete(Directory.GetFiles(Path.Combine(store, "ops"), "history-*").Single())),
            Arguments = s => ["export", s, "--recovery", "strict"],
        }),
        ("a folder that is not empty, as the target of a backup", OnStore(async s => await s.BackupAsync(await FullAsync())) with
        {
            Prepare = WithFullTargetAsync,
            Arguments = s => ["backup", s, "--to", s + "-full"],
        }),
        ("a folder that is not empty, as the target of a repair", Copying((from, to) => OpsStore.RepairAsync(from, to).AsTask(), "repair")),
        ("a folder that is not empty, as the target of a restore", Copying((from, to) => OpsStore.RestoreAsync(from, to).AsTask(), "restore")),
        ("a damaged store, restored as a backup", Copying((from, _) => OpsStore.RestoreAsync(from, new MemoryStorage()).AsTask(), "restore") with
        {
            Prepare = After(store => Rewrite(Log(store), Changed("in the log"))),
        }),
        ("a folder without a store, verified", new BadInputCase(folder => OpsStore.VerifyAsync(new FileStorage(folder)).AsTask())
        {
            Arguments = s => ["verify", s],
        }),
    ];

    private static BadInputCase Copying(Func<IOpsStorage, IOpsStorage, Task> copy, string verb) => new(async folder => await copy(new FileStorage(folder), await FullAsync()))
    {
        Prepare = WithFullTargetAsync,
        Arguments = s => [verb, s, "--to", s + "-full"],
    };

    private static async Task WithFullTargetAsync(string folder)
    {
        await MakeStoreAsync(folder);
        await MakeStoreAsync(folder + "-full");
    }

    private static async Task<IOpsStorage> FullAsync()
    {
        var storage = new MemoryStorage();
        await (await OpsStore<JsonElement>.OpenAsync(storage)).DisposeAsync();
        return storage;
    }

    private static BadInputCase Reading(Func<string, Task> prepare) => OnOpening(o => o.ReadOnly = true) with
    {
        Prepare = prepare,
        Arguments = s => ["export", s],
    };

    private static BadInputCase Broken(Action<string> breakIt) => Reading(After(breakIt));

    private static BadInputCase Manifest(Func<string, string> change) => Broken(store =>
    {
        var file = Path.Combine(store, "manifest.json");
        File.WriteAllText(file, change(File.ReadAllText(file)));
    });

    private static string OfNewerFormat(string manifest)
    {
        var whole = JsonNode.Parse(manifest)!;
        var own = whole["opslog"]!.AsObject();
        (own["format"], own["reader"]) = (99, 99);
        own.Remove("crc");
        // The checksum is over the object as far as the comma before it.
        own["crc"] = JsonLines.Checksum(Encoding.UTF8.GetBytes(own.ToJsonString()[..^1])).ToString("x8", CultureInfo.InvariantCulture);
        return whole.ToJsonString();
    }

    private static Func<string, Task> After(Action<string> breakIt) => async folder =>
    {
        await MakeStoreAsync(folder);
        breakIt(folder);
    };

    private static async Task NumberedAsync(string folder)
    {
        var (from, to) = (new MemoryStorage(append: false), new FileStorage(folder));
        await using (var store = await OpsStore<JsonElement>.OpenAsync(from)) await store.SetAsync("a", Json("{}"));
        await foreach (var entry in from.ListAsync(StorageKey.Root, null, default))
        {
            var found = await from.ReadAsync(entry.Key, ByteRange.All, default);
            await to.PutAsync(entry.Key, found!.Content, PutCondition.IfAbsent, default);
        }
    }

    private static async Task SecondWriterAsync(string folder)
    {
        await using var first = await OpenAsync(folder);
        await (await OpenAsync(folder)).DisposeAsync();
    }

    private static string Snapshot(string store) => FileOf(store, "snapshots/");

    private static string Log(string store) => FileOf(store, "ops/ops-");

    private static void Rewrite(string file, Func<byte[], byte[]> change) => File.WriteAllBytes(file, change(File.ReadAllBytes(file)));

    private static Func<byte[], byte[]> Changed(string text) => bytes =>
    {
        bytes[bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text))] ^= 1;
        return bytes;
    };

    private static void RewriteLines(string file, Func<string[], string[]> change) =>
        File.WriteAllText(file, string.Concat(change(File.ReadAllText(file).TrimEnd('\n').Split('\n')).Select(line => line + "\n")));
}
