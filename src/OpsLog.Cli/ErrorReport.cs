using System.Buffers;
using System.Text;
using System.Text.Json;

namespace OpsLog.Cli;

/// <summary>An error as people (one line) and scripts (one JSON object) read it.</summary>
internal static class ErrorReport
{
    private const string OnDamage = "'opslog verify STORE' lists all damage, 'opslog repair STORE --to PLACE' salvages into a new store.";
    private const string OnFailedStorage = "mend what it names (space, permissions, the network), then try again.";

    /// <summary>What the library tells its callers to do about damage. They have other names for it here.</summary>
    private const string CallsOnDamage = " Run verify for the full list, repair to salvage, or open with Recovery.SkipCorrupt.";

    /// <summary>Writes the error and returns its exit code. Of a reader that is gone nothing is said: it had what it wanted.</summary>
    /// <param name="error">Where to.</param>
    /// <param name="json">Whether scripts read it.</param>
    /// <param name="exception">The error.</param>
    /// <param name="onDamage">What the verb that met it says to do about damage; <see langword="null"/>: what every verb may say.</param>
    /// <param name="arguments">The command line: what is secret in its URIs is not told.</param>
    public static int Write(TextWriter error, bool json, Exception exception, string? onDamage = null, params string[] arguments)
    {
        var code = ExitCode.Of(exception);
        if (code == ExitCode.ReaderGone) return code;
        var text = StoreLocation.Redact(ToText(exception, code, onDamage), arguments);
        error.WriteLine(json ? ToJson(exception, code, text) : "opslog: " + text);
        error.Flush();
        return code;
    }

    /// <summary>The damage as <c>file:line:offset: what</c>, as editors and grep write places.</summary>
    public static string Place(Damage damage) =>
        OneLine(damage.Line > 0 ? $"{damage.File}:{damage.Line}:{damage.Offset}: {damage.Detail}" : $"{damage.File}: {damage.Detail}");

    /// <summary>What an exception says, without what is about the library's methods: whoever reads this has called none.</summary>
    public static string MessageOf(Exception exception) => exception switch
    {
        ArgumentException { ParamName: { } name } => exception.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal),
        _ when DamageOf(exception) is { } damage => exception.Message.Replace(CallsOnDamage, "", StringComparison.Ordinal).Replace(damage.ToString(), Place(damage), StringComparison.Ordinal),
        _ => exception.Message,
    };

    private static string ToText(Exception exception, int code, string? onDamage)
    {
        var message = exception switch
        {
            OperationCanceledException => "stopped; everything acknowledged is kept.",
            _ when code == ExitCode.Bug => $"unexpected {exception.GetType().Name}: {MessageOf(exception)}",
            _ => MessageOf(exception),
        };
        return OneLine(message) + (Advice(exception, code, onDamage) is { } advice ? " | next: " + advice : "");
    }

    /// <summary>What to do next; nothing about a run that was stopped: whoever stopped it knows.</summary>
    private static string? Advice(Exception exception, int code, string? onDamage) => LibraryError(exception)?.Error switch
    {
        OpsLogError.Damaged => onDamage ?? OnDamage,
        OpsLogError.NotFound => "check STORE and the name; 'opslog ls STORE' lists the records, 'opslog archives STORE' the archives.",
        OpsLogError.Conflict => "if the target is not empty, name another one; if others were changing the store, run it again.",
        OpsLogError.Locked => "close the other writer; get, ls, export and the other reading verbs work beside it, and so do writers that all have --agent.",
        OpsLogError.Fenced => "see with 'opslog log STORE' how far it got, and go on from there.",
        OpsLogError.TooNew => "use a newer opslog.",
        OpsLogError.OutcomeUnknown => "look with 'opslog get' or 'opslog log' before you repeat it.",
        OpsLogError.PositionLost => "leave --since out and go on from a position that 'opslog log STORE --json' prints.",
        OpsLogError.MigrationFailed => "open it once for writing with the program that migrates its documents.",
        OpsLogError.InvalidDocument => "correct what it names; nothing of it was written.",
        not null => OnFailedStorage,
        null when exception is UsageException => "see 'opslog --help' or 'opslog VERB --help'.",
        null when exception is InputLineException { InnerException: null } => "correct the line; everything before it is kept.",
        null => code switch
        {
            ExitCode.Usage => "correct what it names; see 'opslog VERB --help'.",
            ExitCode.StorageFailed => OnFailedStorage,
            ExitCode.Bug => "please report it.",
            _ => null,
        },
    };

    private static string ToJson(Exception exception, int code, string text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, JsonText.WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteString("error", Name(exception, code));
            writer.WriteNumber("exit", code);
            writer.WriteString("message", text);
            if (exception is InputLineException input) writer.WriteNumber("inputLine", input.Line);
            if (DamageOf(exception) is { } damage) WriteDamage(writer, "damage", damage);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Writes a damage as a JSON object, as a member or (no name) as an array's element.</summary>
    public static void WriteDamage(Utf8JsonWriter writer, string? name, Damage damage)
    {
        if (name is null) writer.WriteStartObject();
        else writer.WriteStartObject(name);
        writer.WriteString("kind", JsonNamingPolicy.CamelCase.ConvertName(damage.Kind.ToString()));
        writer.WriteString("file", damage.File);
        writer.WriteNumber("line", damage.Line);
        writer.WriteNumber("offset", damage.Offset);
        writer.WriteNumber("length", damage.Length);
        writer.WriteString("detail", damage.Detail);
        writer.WriteEndObject();
    }

    private static string Name(Exception exception, int code) => exception switch
    {
        OpsLogException opsLog => JsonNamingPolicy.CamelCase.ConvertName(opsLog.Error.ToString()),
        InputLineException { InnerException: { } cause } => Name(cause, code),
        InputLineException => "malformedLine",
        _ => code switch
        {
            ExitCode.Usage => "usage",
            ExitCode.StorageFailed => "storageFailed",
            ExitCode.Cancelled => "cancelled",
            _ => "unexpected",
        },
    };

    private static Damage? DamageOf(Exception exception) => LibraryError(exception)?.Damage;

    private static OpsLogException? LibraryError(Exception exception) =>
        exception as OpsLogException ?? exception.InnerException as OpsLogException;

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
