using System.Globalization;
using System.Text;
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
/// <param name="IsBeside">Whether its process goes on with the next step while it runs: two calls at once on one opening.</param>
internal sealed record Step(StepKind Kind, int Number, IReadOnlyList<Part> Parts, int Padding = 0, string Period = "", bool IsBeside = false)
{
    public static Step Opening { get; } = new(StepKind.Open, -1, []);

    /// <summary>Closes the opening, if there is one.</summary>
    public bool IsClosing => Kind is StepKind.Close or StepKind.BecomeAgent or StepKind.BecomeSingle or StepKind.BecomeReader;

    public bool IsWrite => Kind is StepKind.Set or StepKind.Delete or StepKind.Batch or StepKind.Undo or StepKind.Redo or StepKind.Archive;

    /// <summary>Whether it writes nothing but documents of its own.</summary>
    public bool OnlySets => Kind is StepKind.Set or StepKind.Batch && !Parts.Any(p => p.Deletes);

    /// <summary>Whether it writes that document.</summary>
    public bool Writes(ReadOnlySpan<byte> document)
    {
        for (var part = 0; part < Parts.Count; part++)
            if (!Parts[part].Deletes && document.SequenceEqual(Encoding.UTF8.GetBytes(Document(part)))) return true;
        return false;
    }

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
        return $"#{Number} {what}{(parts.Length > 0 ? " " : "")}{parts}{(Period.Length > 0 ? $" to {Period}" : "")}{(IsBeside ? " &" : "")}";
    }
}

/// <summary>A record that a step writes.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Deletes">Whether it is deleted.</param>
internal readonly record struct Part(string Id, bool Deletes = false);
