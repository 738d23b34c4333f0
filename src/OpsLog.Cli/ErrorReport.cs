using System.Buffers;
using System.Text;
using System.Text.Json;

namespace OpsLog.Cli;

/// <summary>An error as people (one line) and scripts (one JSON object) read it.</summary>
internal static class ErrorReport
{
    /// <summary>Writes the error and returns its exit code. Of a reader that is gone nothing is said: it had what it wanted.</summary>
    /// <param name="error">Where to.</param>
    /// <param name="json">Whether scripts read it.</param>
    /// <param name="exception">The error.</param>
    /// <param name="arguments">The command line: what is secret in its URIs is not told.</param>
    public static int Write(TextWriter error, bool json, Exception exception, params string[] arguments)
    {
        var code = ExitCode.Of(exception);
        if (code == ExitCode.ReaderGone) return code;
        var text = StoreLocation.Redact(ToText(exception, code), arguments);
        error.WriteLine(json ? ToJson(exception, code, text) : "opslog: " + text);
        error.Flush();
        return code;
    }

    /// <summary>The damage as <c>file:line:offset: what</c>, as editors and grep write places.</summary>
    public static string Place(Damage damage) =>
        OneLine(damage.Line > 0 ? $"{damage.File}:{damage.Line}:{damage.Offset}: {damage.Detail}" : $"{damage.File}: {damage.Detail}");

    /// <summary>What an exception says, without the parameter of the library's method: whoever reads this has called none.</summary>
    public static string MessageOf(Exception exception) =>
        exception is ArgumentException { ParamName: { } name } ? exception.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal) : exception.Message;

    private static string ToText(Exception exception, int code)
    {
        var message = exception switch
        {
            OperationCanceledException => "stopped; everything acknowledged is kept.",
            _ when DamageOf(exception) is { } damage => "the store is damaged at " + Place(damage),
            _ when code == ExitCode.Bug => $"unexpected {exception.GetType().Name}: {MessageOf(exception)} Please report it.",
            _ => MessageOf(exception),
        };
        return OneLine(message) + Advice(exception);
    }

    private static string Advice(Exception exception) => LibraryError(exception)?.Error switch
    {
        OpsLogError.Damaged => " | next: 'opslog verify STORE' lists all damage, '--recovery skip-corrupt' reads past it, "
            + "'opslog repair STORE --to DIR' salvages into a new store.",
        OpsLogError.Locked => " | next: close the other writer; get, ls, export and the other reading verbs work beside it, and so do writers that all have --agent.",
        OpsLogError.TooNew => " | next: use a newer opslog.",
        OpsLogError.OutcomeUnknown => " | next: look with 'opslog get' or 'opslog log' before you repeat it.",
        null when exception is UsageException => " | next: see 'opslog --help' or 'opslog VERB --help'.",
        null when exception is InputLineException { InnerException: null } => " | next: correct the line; everything before it is kept.",
        _ => "",
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
