// dotnet run samples/04-agents-sharing-a-memory.cs
#:project ../src/OpsLog/OpsLog.csproj
#:property PublishAot=false

using OpsLog;

// Three agents work on one list of questions and share what they find: no server, no broker, a folder.
const string Folder = "./.demo/agents";
using var done = new CancellationTokenSource(TimeSpan.FromSeconds(30));
await using (var board = await OpsStore<Note>.OpenAsync(Folder, new OpsStoreOptions { AgentId = "planner" }))
{
    await board.BatchAsync(batch =>
    {
        foreach (var city in "Lisbon Oslo Quito".Split(' ')) batch.Set($"question/{city}", new Note("planner", $"What is worth seeing in {city}?"));
    });

    // The planner watches: each answer comes once, in order, also those written while it was away.
    var agents = Enumerable.Range(1, 3).Select(n => WorkAsync($"scout-{n}", share: n - 1)).ToArray();
    var answers = new SortedDictionary<string, Note>(StringComparer.Ordinal);
    await foreach (var change in board.WatchAsync(FeedPosition.Start, done.Token))
    {
        if (change.Id.StartsWith("answer/", StringComparison.Ordinal)) answers[change.Id] = change.Value!;
        if (answers.Count == 3) break;
    }

    await Task.WhenAll(agents);
    foreach (var (id, note) in answers) Console.WriteLine($"{id}: {note.Text} (by {note.By})");
    await board.RefreshAsync();
    Console.WriteLine($"{board.Count} notes by {board.Values.Select(note => note.By).Distinct().Count()} agents");
}

// One more look, read-only: what a person or another program sees.
await using var reader = await OpsStore<Note>.OpenAsync(Folder, new OpsStoreOptions { ReadOnly = true });
Console.WriteLine($"kept: {reader.Count(record => record.Key.StartsWith("answer/", StringComparison.Ordinal))} answers");

static async Task WorkAsync(string agent, int share)
{
    await using var memory = await OpsStore<Note>.OpenAsync(Folder, new OpsStoreOptions { AgentId = agent });
    var question = memory.Keys.Where(id => id.StartsWith("question/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ElementAt(share);
    var city = question["question/".Length..];
    await memory.SetAsync($"answer/{city}", new Note(agent, $"the old town of {city}"));
}

internal sealed record Note(string By, string Text);

// Prints:
// answer/Lisbon: the old town of Lisbon (by scout-1)
// answer/Oslo: the old town of Oslo (by scout-2)
// answer/Quito: the old town of Quito (by scout-3)
// 6 notes by 4 agents
// kept: 3 answers
