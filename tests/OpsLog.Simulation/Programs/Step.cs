using System.Globalization;
using System.Text.Json;

namespace OpsLog.Simulation.Programs;

internal enum StepKind
{
    Set,
    Delete,
    Batch,
    Undo,
    Redo,
    Refresh,
    Compact,
    Archive,
    LoadArchive,
    Feed,
    Close,

    /// <summary>Closes, and goes on as an agent, as the only writer, or as a reader.</summary>
    BecomeAgent,
    BecomeSingle,
    BecomeReader,

    /// <summary>Not in programs: the opening that a step needs.</summary>
    Open,
}

/// <summary>One operation of a simulated process.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Number">Its number in the program: the documents it writes carry it, so that a state tells which operations it is made of.</param>
/// <param name="Parts">The records it writes or archives.</param>
/// <param name="Padding">How much text its documents carry besides.</param>
/// <param name="Period">Where it archives to.</param>
internal sealed record Step(StepKind Kind, int Number, IReadOnlyList<Part> Parts, int Padding = 0, string Period = "")
{
    public static Step Opening { get; } = new(StepKind.Open, -1, []);

    public bool IsWrite => Kind is StepKind.Set or StepKind.Delete or StepKind.Batch or StepKind.Undo or StepKind.Redo or StepKind.Archive;

    /// <summary>The document that its part writes, as it is stored.</summary>
    public string Document(int part) =>
        string.Create(CultureInfo.InvariantCulture, $"{{\"n\":{Number},\"part\":{part}{(Padding > 0 ? $",\"text\":\"{new string('x', Padding)}\"" : "")}}}");

    public JsonElement Element(int part)
    {
        using var document = JsonDocument.Parse(Document(part));
        return document.RootElement.Clone();
    }

    public override string ToString()
    {
        var what = Kind.ToString().ToLowerInvariant();
        var parts = string.Join(' ', Parts.Select(p => p.Deletes ? $"-{p.Id}" : p.Id));
        return $"#{Number} {what}{(parts.Length > 0 ? " " : "")}{parts}{(Period.Length > 0 ? $" to {Period}" : "")}";
    }
}

/// <summary>A record that a step writes.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Deletes">Whether it is deleted.</param>
internal readonly record struct Part(string Id, bool Deletes = false);
