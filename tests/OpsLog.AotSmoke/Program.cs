using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using OpsLog;
using OpsLog.AotSmoke;
using OpsLog.Extensions;
using OpsLog.Storage;

// Goes through the library once, in the folder that is given, and prints what must not depend on the compiler.
// Further arguments: locations on servers, to write to and read from.
var folder = args is [var given, ..] ? given : Directory.CreateTempSubdirectory("opslog-smoke-").FullName;
Console.WriteLine($"reflection for JSON: {JsonSerializer.IsReflectionEnabledByDefault}");

var options = new OpsStoreOptions { JsonTypeInfo = SmokeJson.Default.TaskItem };
await using (var store = await OpsStore<TaskItem>.OpenAsync(folder, options))
{
    await store.SetAsync("task-1", new TaskItem("Build", "active", ["a", "b"], null));
    await store.UpdateAsync("task-1", task => task with { Status = "done", Due = new DateOnly(2026, 11, 23) });
    await store.BatchAsync(batch =>
    {
        batch.Set("task-2", new TaskItem("Écrire", "active", [], null));
        batch.Set("task-3", new TaskItem("Ship", "active", [], null));
    });
    await store.UndoAsync();
    await store.RedoAsync();
    await store.DeleteAsync("task-3");
    Console.WriteLine($"records: {string.Join(", ", store.Keys.Order(StringComparer.Ordinal))}");
    await store.CompactAsync();
    Console.WriteLine($"archived: {await store.ArchiveAsync(task => task.Status == "done", "old")}; {(await store.LoadArchiveAsync("old"))["task-1"].Title}");
    await foreach (var operation in store.HistoryAsync("task-2")) Console.WriteLine($"{operation.Kind} {operation.Mark} {operation.Value?.Title}");
}

await using (var anna = await OpsStore<JsonElement>.OpenAsync(folder, new OpsStoreOptions { AgentId = "anna" }))
await using (var ben = await OpsStore<TaskItem>.OpenAsync(folder, new OpsStoreOptions { AgentId = "ben", JsonTypeInfo = SmokeJson.Default.TaskItem }))
{
    await ben.SetAsync("task-4", new TaskItem("Agents", "active", [], null));
    await anna.RefreshAsync();
    Console.WriteLine($"raw: {anna["task-4"].GetRawText()}");
}

var storage = new FileStorage(folder);
var report = await OpsStore.VerifyAsync(storage);
Console.WriteLine($"sound: {report.IsSound}, {report.Records.ToString(CultureInfo.InvariantCulture)} records");
var backup = new MemoryStorage();
await using (var reader = await OpsStore<TaskItem>.OpenAsync(storage, new OpsStoreOptions { ReadOnly = true, JsonTypeInfo = SmokeJson.Default.TaskItem }))
    await reader.BackupAsync(backup);

var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
builder.Configuration.AddInMemoryCollection([new("Store:Durability", "Os"), new("Store:Checkpoint:Growth", "2")]);
builder.Services.AddOpsLog<TaskItem>("restored", o =>
{
    o.Bind(builder.Configuration.GetSection("Store"));
    o.Storage = _ => backup;
    o.Store.JsonTypeInfo = SmokeJson.Default.TaskItem;
});
builder.Services.AddHealthChecks().AddOpsLog<TaskItem>("restored");
var names = new SortedSet<string>(StringComparer.Ordinal);
using (Sdk.CreateMeterProviderBuilder().AddOpsLogInstrumentation().Build())
using (Sdk.CreateTracerProviderBuilder().AddOpsLogInstrumentation().AddProcessor(new NameProcessor(names)).Build())
using (var host = builder.Build())
{
    await host.StartAsync();
    var restored = host.Services.GetRequiredKeyedService<OpsStore<TaskItem>>("restored");
    await restored.SetAsync("task-5", new TaskItem("Host", "active", [], null));
    Console.WriteLine($"restored: {string.Join(", ", restored.Keys.Order(StringComparer.Ordinal))}");
    Console.WriteLine($"health: {(await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Status}");
    await host.StopAsync();
}

Console.WriteLine($"spans: {string.Join(", ", names)}");
await Remote.OpenWithoutServersAsync();
foreach (var location in args.Skip(1)) await Remote.UseAsync(location);

namespace OpsLog.AotSmoke
{
    internal sealed record TaskItem(string Title, string Status, string[] Tags, DateOnly? Due);

    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
    [JsonSerializable(typeof(TaskItem))]
    internal sealed partial class SmokeJson : JsonSerializerContext;

    internal sealed class NameProcessor(SortedSet<string> names) : BaseProcessor<System.Diagnostics.Activity>
    {
        public override void OnEnd(System.Diagnostics.Activity data)
        {
            lock (names) names.Add(data.DisplayName);
        }
    }
}
