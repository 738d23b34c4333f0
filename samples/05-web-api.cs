// dotnet run samples/05-web-api.cs
// curl -X PUT localhost:5080/tasks/1 -H 'Content-Type: application/json' -d '{"title":"Build the API","done":false}'
#:sdk Microsoft.NET.Sdk.Web
#:project ../src/OpsLog.Extensions/OpsLog.Extensions.csproj
#:package OpenTelemetry.Extensions.Hosting
#:property PublishAot=false

using System.Text.Json.Serialization;
using OpsLog;
using OpsLog.Extensions;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>       // in an application: appsettings.json
{
    ["Stores:Tasks:Location"] = ".demo/web-api",
    ["Stores:Tasks:HistoryRetention:Age"] = "90.00:00:00",
});

builder.Services.AddOpsLog<TaskItem>("tasks", options =>
{
    options.Bind(builder.Configuration.GetSection("Stores:Tasks"));
    options.Store.JsonTypeInfo = TasksJson.Default.TaskItem;
});
builder.Services.AddHealthChecks().AddOpsLog<TaskItem>("tasks");
builder.Services.AddOpenTelemetry()
    .WithTracing(tracing => tracing.AddOpsLogInstrumentation())
    .WithMetrics(metrics => metrics.AddOpsLogInstrumentation());
builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, TasksJson.Default));

var app = builder.Build();
app.Urls.Add(app.Configuration["urls"] ?? "http://127.0.0.1:5080");
app.MapHealthChecks("/health");

var tasks = app.MapGroup("/tasks");
tasks.MapGet("/", ([FromKeyedServices("tasks")] OpsStore<TaskItem> store) => new Dictionary<string, TaskItem>(store));
tasks.MapGet("/{id}", (string id, [FromKeyedServices("tasks")] OpsStore<TaskItem> store) =>
    store.TryGetValue(id, out var task) ? Results.Ok(task) : Results.NotFound());
tasks.MapPut("/{id}", async (string id, TaskItem task, [FromKeyedServices("tasks")] OpsStore<TaskItem> store, CancellationToken ct) =>
{
    await store.SetAsync(id, task, cancellationToken: ct);
    return Results.NoContent();
});
tasks.MapDelete("/{id}", async (string id, [FromKeyedServices("tasks")] OpsStore<TaskItem> store, CancellationToken ct) =>
    await store.DeleteAsync(id, cancellationToken: ct) ? Results.NoContent() : Results.NotFound());
tasks.MapPost("/undo", async ([FromKeyedServices("tasks")] OpsStore<TaskItem> store, CancellationToken ct) =>
    await store.UndoAsync(ct) ? Results.NoContent() : Results.NotFound());

await app.RunAsync();

internal sealed record TaskItem(string Title, bool Done);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Dictionary<string, TaskItem>))]
internal sealed partial class TasksJson : JsonSerializerContext;
