using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Storage;

/// <summary>Goal: a location leads to its storage, or says what is missing, and is shown without its secrets. Method: locations of every kind.</summary>
public sealed class StorageSchemesTests
{
    [Fact]
    public async Task A_registered_scheme_opens_with_the_clock_it_was_given()
    {
        var asked = new List<(string, TimeProvider, Random?)>();
        StorageSchemes.Register("test-one", (location, time, random) =>
        {
            asked.Add((location, time, random));
            return new MemoryStorage();
        });
        var (clock, chance) = (new Microsoft.Extensions.Time.Testing.FakeTimeProvider(), new Random(1));
        await using (var store = await OpsStore<Dictionary<string, int>>.OpenAsync("TEST-ONE://Place/x?y=Z", new OpsStoreOptions { TimeProvider = clock, Random = chance }))
            await store.SetAsync("a", new() { ["n"] = 1 });
        Assert.Equal([("TEST-ONE://Place/x?y=Z", clock, chance)], asked);
        Assert.IsType<MemoryStorage>(StorageSchemes.Open("test-one://x"));
        Assert.Equal(TimeProvider.System, asked[1].Item2);
    }

    [Theory]
    [InlineData("s3", "OpsLog.S3", "S3Storage.Register()")]
    [InlineData("AZBLOB", "OpsLog.AzureBlobs", "AzureBlobStorage.Register()")]
    [InlineData("postgresql", "OpsLog.PostgreSql", "PostgreSqlStorage.Register()")]
    [InlineData("ftp", "'ftp'", "register")]
    public void What_is_not_registered_says_what_to_do(string scheme, string package, string call)
    {
        Assert.Contains(package, StorageSchemes.Unknown(scheme), StringComparison.Ordinal);
        Assert.Contains(call, StorageSchemes.Unknown(scheme), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", Assert.Throws<ArgumentException>(() => StorageSchemes.Open("ftp://u:secret@h/x")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Paths_and_file_URIs_are_folders()
    {
        Assert.Equal(Path.GetFullPath("x/y"), Assert.IsType<FileStorage>(StorageSchemes.Open("x/y")).RootPath);
        Assert.Equal("/x/y z", Assert.IsType<FileStorage>(StorageSchemes.Open("file:///x/y%20z")).RootPath);
        Assert.Equal("/x/y z", Assert.IsType<FileStorage>(StorageSchemes.Open("file://localhost/x/y%20z")).RootPath);
        Assert.Equal("/x#y", Assert.IsType<FileStorage>(StorageSchemes.Open("file:///x%23y")).RootPath);
        Assert.Throws<ArgumentException>(() => StorageSchemes.Open("file:///x#y"));
        Assert.Throws<ArgumentException>(() => StorageSchemes.Open("file:///x?y"));
        if (!OperatingSystem.IsWindows()) Assert.Throws<ArgumentException>(() => StorageSchemes.Open("file://data/store"));
        Assert.Throws<ArgumentException>(() => StorageSchemes.Register("file", (_, _, _) => new MemoryStorage()));
        Assert.Throws<ArgumentException>(() => StorageSchemes.Register("a b", (_, _, _) => new MemoryStorage()));
    }

    [Theory]
    [InlineData("./data", "./data")]
    [InlineData("s3://bucket/a@b?region=eu&endpoint=http://h:1", "s3://bucket/a@b?region=eu&endpoint=http://h:1")]
    [InlineData("s3://KEY:SECRET@bucket/p", "s3://bucket/p")]
    [InlineData("postgres://me@h:1/db?store=a", "postgres://h:1/db?store=a")]
    [InlineData("postgres://me:SE/C?RE@T@h:1/db?store=a", "postgres://h:1/db?store=a")]
    [InlineData("postgres://h/db?store=a&password=SECRET&x", "postgres://h/db?store=a&password=***&***")]
    [InlineData("azblob://c/p?sig=SECRET", "azblob://c/p?sig=***")]
    public void A_location_is_shown_without_its_secrets(string location, string shown) => Assert.Equal(shown, StorageSchemes.Redact(location));
}
