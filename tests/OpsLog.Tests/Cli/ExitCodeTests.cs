using System.Text.Json;
using OpsLog.Cli;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Cli;

public class ExitCodeTests
{
    [Theory]
    [InlineData(OpsLogError.NotFound, 1)]
    [InlineData(OpsLogError.PositionLost, 1)]
    [InlineData(OpsLogError.InvalidDocument, 2)]
    [InlineData(OpsLogError.Conflict, 3)]
    [InlineData(OpsLogError.Locked, 3)]
    [InlineData(OpsLogError.Fenced, 3)]
    [InlineData(OpsLogError.Damaged, 4)]
    [InlineData(OpsLogError.TooNew, 5)]
    [InlineData(OpsLogError.ReadOnly, 5)]
    [InlineData(OpsLogError.StorageFailed, 5)]
    [InlineData(OpsLogError.OutcomeUnknown, 5)]
    [InlineData(OpsLogError.MigrationFailed, 5)]
    public void Each_error_of_the_library_has_its_exit_code(OpsLogError error, int code)
    {
        Assert.Equal(code, ExitCode.Of(new OpsLogException(error, "what failed")));
        Assert.Equal(code, ExitCode.Of(new InputLineException(7, new OpsLogException(error, "what failed"))));
    }

    [Fact]
    public void No_error_of_the_library_counts_as_a_bug() =>
        Assert.All(Enum.GetValues<OpsLogError>(), e => Assert.NotEqual(ExitCode.Bug, ExitCode.Of(new OpsLogException(e, ""))));

    [Fact]
    public void Every_storage_fault_is_a_failed_storage() =>
        Assert.All(Enum.GetValues<StorageFault>(), f => Assert.Equal(ExitCode.StorageFailed, ExitCode.Of(new StorageException(f, ""))));

    [Fact]
    public void Other_failures_have_their_exit_codes()
    {
        Assert.Equal(ExitCode.Usage, ExitCode.Of(new UsageException("x")));
        Assert.Equal(ExitCode.Usage, ExitCode.Of(new ArgumentException("x")));
        Assert.Equal(ExitCode.Usage, ExitCode.Of(new InputLineException(1, "x")));
        Assert.Equal(ExitCode.StorageFailed, ExitCode.Of(new IOException("x")));
        Assert.Equal(ExitCode.Cancelled, ExitCode.Of(new TaskCanceledException()));
        Assert.Equal(ExitCode.Bug, ExitCode.Of(new InvalidCastException("x")));
    }

    [Fact]
    public void A_reader_that_is_gone_is_told_by_the_exit_code_alone()
    {
        using var error = new StringWriter();
        Assert.Equal(ExitCode.ReaderGone, ErrorReport.Write(error, json: false, new ReaderGoneException()));
        Assert.Equal(ExitCode.ReaderGone, ErrorReport.Write(error, json: true, new InputLineException(1, new ReaderGoneException())));
        Assert.Empty(error.ToString());
    }

    [Fact]
    public void An_error_is_one_line_that_says_what_to_do_next()
    {
        using var error = new StringWriter();
        var damage = new Damage(DamageKind.CorruptLine, "ops/ops-1.jsonl", 3, 412, 80, "the checksum does not hold");
        var message = $"The backup\nis damaged, first at {damage}. Restore another one.";
        Assert.Equal(4, ErrorReport.Write(error, json: false, new OpsLogException(OpsLogError.Damaged, message) { Damage = damage }));
        var line = Assert.Single(error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("opslog: The backup is damaged, first at ops/ops-1.jsonl:3:412: the checksum does not hold. Restore another one. | next: ", line, StringComparison.Ordinal);
        Assert.Contains("opslog repair", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_error_but_a_stop_says_what_to_do_next()
    {
        Exception[] others = [new UsageException("x"), new ArgumentException("x"), new InputLineException(1, "x"), new IOException("x"), new StorageException(StorageFault.Full, "x"), new InvalidCastException("x")];
        foreach (var exception in others.Concat(Enum.GetValues<OpsLogError>().Select(e => new OpsLogException(e, "x"))))
        {
            using var error = new StringWriter();
            ErrorReport.Write(error, json: false, exception);
            Assert.Matches(@"^opslog: .+ \| next: .+\.\n$", error.ToString().ReplaceLineEndings("\n"));
        }
    }

    [Fact]
    public void With_json_an_error_is_one_object()
    {
        using var error = new StringWriter();
        var damage = new Damage(DamageKind.CorruptLine, "ops/ops-1.jsonl", 3, 412, 80, "x");
        ErrorReport.Write(error, json: true, new InputLineException(9, new OpsLogException(OpsLogError.Damaged, "b") { Damage = damage }));
        using var parsed = JsonDocument.Parse(error.ToString());
        var root = parsed.RootElement;
        Assert.Equal("damaged", root.GetProperty("error").GetString());
        Assert.Equal(4, root.GetProperty("exit").GetInt32());
        Assert.Equal(9, root.GetProperty("inputLine").GetInt64());
        Assert.Equal("corruptLine", root.GetProperty("damage").GetProperty("kind").GetString());
        Assert.Equal(412, root.GetProperty("damage").GetProperty("offset").GetInt64());
    }
}
