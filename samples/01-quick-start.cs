// dotnet run samples/01-quick-start.cs
#:project ../src/OpsLog/OpsLog.csproj
#:property PublishAot=false

using OpsLog;

await using var store = await OpsStore<TaskItem>.OpenAsync("./.demo/quick-start");

await store.SetAsync("task-1", new TaskItem("Build the API", "active"));    // returns when it is on stable storage
await store.UpdateAsync("task-1", task => task with { Status = "done" });   // read, change, write: atomic
await store.BatchAsync(batch =>                                             // all of it or nothing
{
    batch.Set("task-2", new TaskItem("Write the docs", "active"));
    batch.Set("task-3", new TaskItem("Ship", "active"));
});

await store.UndoAsync();                                                    // takes the whole batch back
Console.WriteLine($"{store.Count(record => record.Value.Status == "done")} of {store.Count} done");
await foreach (var operation in store.HistoryAsync("task-1"))
    Console.WriteLine($"{operation.Time:u} {operation.Kind}: {operation.Value?.Status}");

internal sealed record TaskItem(string Title, string Status);

// Prints:
// 1 of 1 done
// * Set: active
// * Set: done
