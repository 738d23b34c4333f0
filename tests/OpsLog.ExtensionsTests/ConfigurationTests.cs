using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using OpsLog.Extensions;
using OpsLog.Tests.Docs;
using Xunit;

namespace OpsLog.ExtensionsTests;

/// <summary>Goal: what configuration says is what a store gets, and what it says wrongly is refused by name. Method: each key of docs/hosting.md.</summary>
public sealed partial class ConfigurationTests
{
    private static readonly MarkdownPage s_page = new("docs/hosting.md");

    public static TheoryData<string, string> Keys => [.. s_page.Rows.Where(r => r.Section == "Configuration").Select(r => (Code(r.Cells[0]), Code(r.Cells[1])))];

    [Theory]
    [MemberData(nameof(Keys))]
    public void Each_documented_key_sets_the_option_of_its_name(string key, string example)
    {
        var options = Bound((key, example));
        Assert.NotEqual(Text(Bound(), key), Text(options, key));
    }

    [Fact]
    public void Every_setting_that_configuration_can_express_has_a_key()
    {
        var inCode = new[] { "JsonTypeInfo", "JsonSerializerOptions", "Migrate", "TimeProvider", "Random", "LoggerFactory", "Checkpoint" };
        var settings = typeof(OpsStoreOptions).GetProperties().Select(p => p.Name).Except(inCode)
            .Concat(typeof(CheckpointOptions).GetProperties().Select(p => $"Checkpoint:{p.Name}"))
            .Append("Location").Order(StringComparer.Ordinal);
        Assert.Equal(settings, Keys.Select(row => row.Data.Item1.Replace(":Age", "", StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_whole_section_of_the_page_is_read()
    {
        var json = s_page.Blocks.First(b => b.Language == "json").Lines;
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', json)));
        var options = new OpsLogOptions();
        options.Bind(new ConfigurationBuilder().AddJsonStream(stream).Build().GetSection("Stores:Tasks"));
        Assert.Equal("data/tasks", options.Location);
        Assert.Equal(Durability.Os, options.Store.Durability);
        Assert.Equal(TimeSpan.FromDays(7), options.Store.HistoryRetention.Age);
        Assert.Equal(5000, options.Store.Checkpoint.MinimumOperations);
        options.Store.Validate();
    }

    [Theory]
    [InlineData("None", null, 0L)]
    [InlineData("forever", null, null)]
    public void Retention_has_two_words(string word, int? days, long? bytes)
    {
        var retention = Bound(("HistoryRetention", word)).Store.HistoryRetention;
        Assert.Equal(days, retention.Age?.Days);
        Assert.Equal(bytes, retention.Bytes);
    }

    [Theory]
    [InlineData("Durabilty", "Disk", "Durabilty")]
    [InlineData("Durability", "Tape", "Disk, Os, Buffered")]
    [InlineData("Durability", "7", "Disk, Os, Buffered")]
    [InlineData("ReadOnly", "maybe", "true, false")]
    [InlineData("FlushInterval", "soon", "00:00:30")]
    [InlineData("SchemaVersion", "9999999999", "at most")]
    [InlineData("Checkpoint:MinimumBytes", "1.5", "a whole number")]
    [InlineData("Checkpoint:Groth", "1", "Checkpoint:Groth")]
    [InlineData("Checkpoint:Growth", "1,5", "a number such as 1.5")]
    [InlineData("Checkpoint", "false", "Store:Checkpoint:Automatic")]
    [InlineData("Checkpoint:GracePeriod", "60", "hh:mm:ss")]
    [InlineData("Checkpoint:GracePeriod", "48:00:00", "hh:mm:ss")]
    [InlineData("Checkpoint:SilentAfter", "00:30", "hh:mm:ss")]
    [InlineData("FlushInterval", "7:00:00:00", "hh:mm:ss")]
    [InlineData("HistoryRetention:Age", "30", "d.hh:mm:ss")]
    [InlineData("HistoryRetention", "a while", "None, Forever")]
    [InlineData("HistoryRetention", "", "None, Forever")]
    [InlineData("HistoryRetention:Weight", "1", "None, Forever")]
    public void A_wrong_key_or_value_is_refused_by_its_name(string key, string value, string message)
    {
        var refusal = Assert.Throws<ArgumentException>(() => Bound((key, value)));
        Assert.Contains(key.Split(':')[0], refusal.Message, StringComparison.Ordinal);
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>As when one source sets the one and another the other.</summary>
    [Theory]
    [InlineData("HistoryRetention", "Forever", "HistoryRetention:Age", "7.00:00:00")]
    [InlineData("HistoryRetention:Bytes", "1000", "HistoryRetention:Age", "7.00:00:00")]
    public void Two_values_for_retention_are_refused_unless_one_is_empty(string key, string value, string other, string otherValue)
    {
        var refusal = Assert.Throws<ArgumentException>(() => Bound((key, value), (other, otherValue)));
        Assert.Contains($"'Store:{key}' is '{value}'", refusal.Message, StringComparison.Ordinal);
        Assert.Contains($"'Store:{other}' is '{otherValue}'", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromDays(7), Bound((key, ""), (other, otherValue)).Store.HistoryRetention.Age);
    }

    private static OpsLogOptions Bound(params (string Key, string Value)[] entries)
    {
        var options = new OpsLogOptions();
        options.Bind(new ConfigurationBuilder().AddInMemoryCollection(entries.Select(e => new KeyValuePair<string, string?>($"Store:{e.Key}", e.Value))).Build().GetSection("Store"));
        return options;
    }

    private static string Text(OpsLogOptions options, string key)
    {
        if (key == "Location") return options.Location ?? "";
        object? value = options.Store;
        foreach (var name in key.Split(':')) value = value?.GetType().GetProperty(name)!.GetValue(value);
        if (value is HistoryRetention retention) return $"{retention.Age} {retention.Bytes}";
        return Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
    }

    private static string Code(string cell) => CodeSpan().Match(cell).Groups[1].Value;

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeSpan();
}
