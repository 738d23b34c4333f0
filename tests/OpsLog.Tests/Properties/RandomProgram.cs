using System.Globalization;
using CsCheck;

namespace OpsLog.Tests.Properties;

/// <summary>
/// Random programs. A program is made of plain numbers, so that a failing one shrinks to fewer and simpler commands. Every document is
/// different from every other, so that a state tells which commands it is made of.
/// </summary>
internal sealed record RandomProgram(IReadOnlyList<Command> Commands)
{
    private static readonly string[] s_ids = ["a", "b", "key-3", "d/4", "žluťoučký kůň", "__proto__", "line\nbreak"];

    /// <summary>How many times the usual number of cases is run: the environment variable OPSLOG_PROPERTY_FACTOR, default 1.</summary>
    public static int Factor { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("OPSLOG_PROPERTY_FACTOR"), CultureInfo.InvariantCulture, out var factor) ? factor : 1;

    /// <summary>Programs of up to a number of commands.</summary>
    /// <param name="length">The longest.</param>
    /// <param name="reopens">Whether they close and open the store in between.</param>
    /// <param name="undoes">Whether they undo and redo, which needs retained history.</param>
    public static Gen<RandomProgram> OfLength(int length, bool reopens = true, bool undoes = true) =>
        Gen.Select(Gen.Int[0, 99], Gen.Int[0, s_ids.Length - 1], Gen.Int[0, 90], Gen.Int[1, 4])
            .Array[1, length]
            .Select(raw => Build(raw, reopens, undoes));

    public override string ToString() => string.Join('\n', Commands);

    private static RandomProgram Build((int Kind, int Id, int Padding, int Count)[] raw, bool reopens, bool undoes)
    {
        var commands = new List<Command>();
        var redoable = 0;
        foreach (var step in raw)
        {
            Command command = step.Kind switch
            {
                < 45 => Set(step.Id, commands.Count, 0, step.Padding),
                < 55 => new Command.Delete(s_ids[step.Id]),
                < 68 => Batch(step.Id, commands.Count, step.Padding, step.Count),
                < 76 when undoes => new Command.Undo(),
                < 82 when undoes && redoable > 0 => new Command.Redo(),
                < 86 => new Command.Compact(),
                < 90 => new Command.Archive([s_ids[step.Id], s_ids[(step.Id + step.Count) % s_ids.Length]], $"20{step.Count}0"),
                < 97 when reopens => new Command.Reopen(),
                _ => Set(step.Id, commands.Count, 0, step.Padding),
            };
            redoable = command switch
            {
                Command.Undo => redoable + 1,
                Command.Redo => redoable - 1,
                Command.Compact => redoable,
                _ => 0,
            };
            commands.Add(command);
        }

        return new RandomProgram(commands);
    }

    private static Command.Set Set(int id, int number, int part, int padding) =>
        new(s_ids[id], string.Create(CultureInfo.InvariantCulture, $"{{\"n\":{number},\"part\":{part},\"text\":\"{new string('ž', padding)}\"}}"));

    private static Command.Batch Batch(int id, int number, int padding, int count) => new(
    [
        .. Enumerable.Range(0, count).Select(Command (part) =>
            part == 2 ? new Command.Delete(s_ids[(id + part) % s_ids.Length]) : Set((id + part) % s_ids.Length, number, part, padding)),
    ]);
}
