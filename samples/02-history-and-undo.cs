// dotnet run samples/02-history-and-undo.cs
#:project ../src/OpsLog/OpsLog.csproj
#:property PublishAot=false

using OpsLog;

await using var store = await OpsStore<Page>.OpenAsync("./.demo/history-and-undo");

await store.SetAsync("home", new Page("Welcome", 1));
await store.UpdateAsync("home", page => page with { Text = "Welcome!", Edits = page.Edits + 1 });
var beforeCleanup = store.View();                                           // one point in time, whatever happens later
await store.BatchAsync(batch =>
{
    batch.Delete("home");
    batch.Set("index", new Page("Welcome!", 3));
});

await store.UndoAsync();                                                    // the batch, as one
Console.WriteLine($"after undo: {string.Join(", ", store.Keys)}: {store["home"].Text}");
await store.RedoAsync();
Console.WriteLine($"after redo: {string.Join(", ", store.Keys)}");
Console.WriteLine($"the view still has: {string.Join(", ", beforeCleanup.Keys)}");

Console.WriteLine("the history of home:");
await foreach (var operation in store.HistoryAsync("home"))
    Console.WriteLine($"  {operation.Kind} {operation.Mark}: {operation.Previous?.Text ?? "nothing"} -> {operation.Value?.Text ?? "nothing"}");

// A consumer keeps the position of the last operation it has seen, and goes on from there whenever it likes.
var position = FeedPosition.Start;
await foreach (var operation in store.OperationsAsync()) position = operation.Position;
await store.SetAsync("about", new Page("Us", 1));
await foreach (var operation in store.OperationsAsync(position)) Console.WriteLine($"new since then: {operation.Id}");

internal sealed record Page(string Text, int Edits);

// Prints:
// after undo: home: Welcome!
// after redo: index
// the view still has: home
// the history of home:
//   Set None: nothing -> Welcome
//   Set None: Welcome -> Welcome!
//   Delete None: Welcome! -> nothing
//   Set Undo: nothing -> Welcome!
//   Delete Redo: Welcome! -> nothing
// new since then: about
