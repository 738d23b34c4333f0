// dotnet run samples/03-two-writers.cs
#:project ../src/OpsLog/OpsLog.csproj
#:property PublishAot=false

using OpsLog;

// Two openings here; two processes, or two machines on one storage, do just the same.
const string Folder = "./.demo/two-writers";
await using var anna = await OpsStore<Price>.OpenAsync(Folder, new OpsStoreOptions { AgentId = "anna" });
await using var ben = await OpsStore<Price>.OpenAsync(Folder, new OpsStoreOptions { AgentId = "ben" });

// Neither waits for the other.
await anna.SetAsync("apple", new Price(100));
await ben.SetAsync("pear", new Price(120));
await anna.RefreshAsync();
await ben.RefreshAsync();
Console.WriteLine($"anna sees {string.Join(", ", anna.Keys.Order())}; ben sees {string.Join(", ", ben.Keys.Order())}");

// On one record the last writer wins: by clock, and at the same clock by agent id. Nobody's operation is lost from history.
await anna.SetAsync("apple", new Price(105));
await ben.SetAsync("apple", new Price(95));
await anna.RefreshAsync();
await ben.RefreshAsync();
Console.WriteLine($"anna: {anna["apple"].Cents}, ben: {ben["apple"].Cents}");
await foreach (var operation in anna.HistoryAsync("apple"))
    Console.WriteLine($"  clock {operation.Revision.Clock}, {operation.Revision.Agent}: {operation.Value?.Cents}");

// An expected revision is compared with what this agent has read: refused, because anna has read ben's write by now. Had she not, both would succeed, and one would win.
anna.TryGet("apple", out _, out var seen);
await ben.SetAsync("apple", new Price(90));
await anna.RefreshAsync();
try
{
    await anna.SetAsync("apple", new Price(110), expected: seen);
}
catch (OpsLogException e) when (e.Error == OpsLogError.Conflict)
{
    Console.WriteLine("anna looks again first");
}

// Undo takes back one's own newest work: what ben wrote before shows again.
await ben.UndoAsync();
Console.WriteLine($"ben took his last price back: {ben["apple"].Cents}");

internal sealed record Price(int Cents);

// Prints:
// anna sees apple, pear; ben sees apple, pear
// anna: 95, ben: 95
//   clock 1, anna: 100
//   clock 2, anna: 105
//   clock 2, ben: 95
// anna looks again first
// ben took his last price back: 95
