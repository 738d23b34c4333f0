using System.Text;
using System.Text.Json;
using OpsLog.Tests.Cli;
using OpsLog.Tests.Corpus;

namespace OpsLog.Tests.BadInput;

/// <summary>What a described row of docs/bad-input.md is, as something to run.</summary>
/// <param name="Call">Gives the library the bad input. Gets a folder for a store.</param>
internal sealed record BadInputCase(Func<string, Task> Call)
{
    /// <summary>Makes the store, or its ruins, before the input is given: to the library and to the tool alike.</summary>
    public Func<string, Task> Prepare { get; init; } = _ => Task.CompletedTask;

    /// <summary>The tool's arguments, given the same folder; null if the tool cannot be given this.</summary>
    public Func<string, string[]>? Arguments { get; init; }

    /// <summary>The tool's standard input.</summary>
    public string Input { get; init; } = "";

    public Task<CliResult> RunToolAsync(string store) =>
        CliRunner.RunAsync(new MemoryStream(Encoding.UTF8.GetBytes(Input)), CancellationToken.None, Arguments!(store));

    public static JsonElement Json(string text) => JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 2000 }).RootElement;

    /// <summary>A call on an open store of raw JSON.</summary>
    public static BadInputCase OnStore(Func<OpsStore<JsonElement>, Task> call) => new(async folder =>
    {
        await using var store = await OpenAsync(folder);
        await call(store);
    });

    public static BadInputCase OnOpening(Action<OpsStoreOptions> set) => new(async folder => await (await OpenAsync(folder, set)).DisposeAsync());

    public static async Task<OpsStore<JsonElement>> OpenAsync(string folder, Action<OpsStoreOptions>? set = null)
    {
        var options = new OpsStoreOptions { Durability = Durability.Os };
        set?.Invoke(options);
        return await OpsStore<JsonElement>.OpenAsync(folder, options);
    }

    /// <summary>A store with some records, a batch and a checkpoint, closed.</summary>
    public static async Task MakeStoreAsync(string folder)
    {
        await using var store = await OpenAsync(folder);
        for (var i = 1; i <= 3; i++) await store.SetAsync($"before-{i}", Json("""{"text":"in the snapshot"}"""));
        await store.CompactAsync();
        for (var i = 1; i <= 3; i++) await store.SetAsync($"after-{i}", Json("""{"text":"in the log"}"""));
        await store.BatchAsync(b =>
        {
            for (var i = 1; i <= 3; i++) b.Set($"batch-{i}", Json("""{"text":"in a batch"}"""));
        });
    }

    /// <summary>The one file of a store whose path begins so, after a checkpoint has collected nothing yet: the newest by name.</summary>
    public static string FileOf(string store, string beginning) => Path.Combine(
        store, TempFolder.Contents(store).Keys.Last(path => path.StartsWith(beginning, StringComparison.Ordinal) && path.EndsWith(".jsonl", StringComparison.Ordinal)));
}
