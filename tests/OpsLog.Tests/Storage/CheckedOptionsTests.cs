using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.Storage;

/// <summary>Goal: options are checked before a storage is made of the location, and the error names the option. Method: a scheme that counts its storages; wrong options of each kind.</summary>
public sealed class CheckedOptionsTests
{
    [Theory]
    [InlineData("CacheBytes")]
    [InlineData("CacheFolder")]
    [InlineData("JsonTypeInfo")]
    [InlineData("TimeProvider")]
    public async Task No_storage_is_made_for_options_that_are_refused(string option)
    {
        var made = 0;
        StorageSchemes.Register("counted", (_, _, _) =>
        {
            made++;
            return new MemoryStorage();
        });
        using var folder = new TempFolder();
        var options = new OpsStoreOptions { CacheFolder = folder["cache"] };
        if (option == "CacheBytes") options.CacheBytes = 0;
        else if (option == "CacheFolder") options.CacheFolder = "";
        else if (option == "TimeProvider") options.TimeProvider = null!;
        else options.JsonTypeInfo = JsonSerializerOptions.Web.GetTypeInfo(typeof(int));
        var refused = await Assert.ThrowsAnyAsync<ArgumentException>(async () => await OpsStore<Version>.OpenAsync("counted://x", options));
        Assert.Contains("options", refused.ParamName, StringComparison.Ordinal);
        Assert.Contains(option, refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, made);
        Assert.False(Directory.Exists(folder["cache"]));
        if (option != "JsonTypeInfo") Assert.Contains(option, Assert.ThrowsAny<ArgumentException>(options.Validate).ParamName, StringComparison.Ordinal);
    }
}
