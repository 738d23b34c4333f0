// Goal: what a container, prefix or key is called leads nowhere else, and no secret leaves the client. Method: hostile names and URIs; everything that fails is searched.
using Azure.Core;
using OpsLog.AzureBlobs;
using OpsLog.RemoteTests.Servers;
using OpsLog.RemoteTests.Stores;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.Azure;

public sealed class AzureNameTests
{
    private const string Key = "dGhpc0lzVGhlU2VjcmV0V2hpY2hOb2JvZHlNYXlSZWFk"; // as base64, which the client demands
    private static readonly Secrets s_secrets = new(Key, "thisIsTheSecretWhichNobodyMayRead", "WhichNobodyMayRead");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("azblob:/container")]
    [InlineData("azblob://")]
    [InlineData("azblob://account:thisIsTheSecretWhichNobodyMayRead@container")]
    [InlineData("azblob://container?sig=thisIsTheSecretWhichNobodyMayRead")]
    [InlineData("azblob://container?endpoint=http://host/?sig=thisIsTheSecretWhichNobodyMayRead")]
    [InlineData("azblob://container/a/../b?endpoint=http://127.0.0.1:9/x")]
    [InlineData("azblob://container/a%2F..?endpoint=http://127.0.0.1:9/x")]
    [InlineData("azblob://container/a//b?endpoint=http://127.0.0.1:9/x")]
    public void A_uri_that_is_wrong_is_refused_and_not_repeated(string uri) =>
        s_secrets.AreNotIn(Assert.ThrowsAny<ArgumentException>(() => AzureBlobStorage.FromUri(uri)));

    [Fact]
    public void A_connection_string_that_is_wrong_is_refused_and_not_repeated() => s_secrets.AreNotIn(Assert.ThrowsAny<ArgumentException>(() =>
        new AzureBlobStorage("container", new AzureBlobStorageOptions { ConnectionString = "AccountName=x;thisIsTheSecretWhichNobodyMayRead" })));

    [Theory]
    [InlineData("a b")]
    [InlineData("")]
    [InlineData("host/x")] // the credential would go there
    [InlineData("user@host")]
    [InlineData("host#")]
    public void An_account_whose_name_is_malformed_is_told_as_that(string account)
    {
        var refused = Assert.Throws<ArgumentException>(() => new AzureBlobStorage("container", new AzureBlobStorageOptions { Account = account, Credential = new NoToken() }));
        Assert.Contains("account's name is malformed", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_account_whose_name_is_well_formed_is_taken()
    {
        foreach (var account in (string[])["account1", "account1-secondary"])
            Assert.NotNull(new AzureBlobStorage("container", new AzureBlobStorageOptions { Account = account, Credential = new NoToken() }));
    }

    [Fact]
    public async Task A_uri_names_container_prefix_and_endpoint()
    {
        var rig = await AzureRig.CreateAsync();
        await using var known = rig.Connect();
        await known.PutAsync(new StorageKey("märz x/a"), new MemoryStream([1]), PutCondition.Always, Token);
        var endpoint = await TestServer.Azurite.RequireAsync();
        await using var storage = AzureBlobStorage.FromUri(
            $"azblob://{AzureRig.Container}/{rig.Prefix}/m%C3%A4rz%20x",
            new AzureBlobStorageOptions { ConnectionString = $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AzureRig.PublishedKey};BlobEndpoint={endpoint};" });
        Assert.Equal((AzureRig.Container, $"{rig.Prefix}/märz x/"), (storage.Container, storage.Prefix));
        Assert.Equal(["a"], await storage.ListAsync(StorageKey.Root, null, Token).Select(e => e.Key.Value).ToListAsync(Token));
        await rig.CleanAsync();
    }

    [Fact]
    public async Task One_prefix_never_sees_another_that_begins_alike()
    {
        var rig = await AzureRig.CreateAsync();
        await using var storage = rig.Connect(o => o.Prefix += "/store");
        foreach (var prefix in (string[])["/store2", "/stor", "/store-", "", "/Store"])
        {
            await using var other = rig.Connect(o => o.Prefix += prefix);
            await other.PutAsync(new StorageKey("manifest.json"), new MemoryStream([1]), PutCondition.Always, Token);
        }

        Assert.Empty(await storage.ListAsync(StorageKey.Root, null, Token).ToListAsync(Token));
        Assert.Null(await storage.ReadAsync(new StorageKey("manifest.json"), default, Token));
        await storage.DeleteAsync(new StorageKey("manifest.json"), Token);
        await using var root = rig.Connect();
        Assert.Equal(5, await root.ListAsync(StorageKey.Root, null, Token).CountAsync(Token));
        await rig.CleanAsync();
    }

    [Fact]
    public async Task A_container_that_is_not_there_is_an_error_and_not_an_empty_store()
    {
        var endpoint = await TestServer.Azurite.RequireAsync();
        await using var storage = new AzureBlobStorage("no-such-container", new AzureBlobStorageOptions
        {
            ConnectionString = $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AzureRig.PublishedKey};BlobEndpoint={endpoint};",
        });
        foreach (var range in (ByteRange[])[ByteRange.All, new ByteRange(0, 0)])
        {
            var failure = await Assert.ThrowsAsync<StorageException>(async () => await storage.ReadAsync(new StorageKey("manifest.json"), range, Token));
            Assert.Equal(StorageFault.BadName, failure.Fault);
        }
    }

    [Fact]
    public async Task Secrets_reach_no_exception_log_or_statistics()
    {
        var endpoint = await TestServer.Azurite.RequireAsync();
        var log = new RecordingLog();
        foreach (var address in (string[])[endpoint, "http://127.0.0.1:9/devstoreaccount1"])
        {
            await using var storage = new AzureBlobStorage(AzureRig.Container, new AzureBlobStorageOptions
            {
                ConnectionString = $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={Key};BlobEndpoint={address};",
                RetryBudget = TimeSpan.FromMilliseconds(100),
            });
            var key = new StorageKey("manifest.json");
            foreach (var call in (Func<Task>[])[
                async () => await storage.ReadAsync(key, default, Token),
                async () => await storage.PutAsync(key, new MemoryStream([1]), PutCondition.IfAbsent, Token),
                async () => await storage.AppendAsync(key, new byte[1], 0, Flush.Synced, Token),
                async () => await storage.DeleteAsync(key, Token),
                async () => await storage.ListAsync(StorageKey.Root, null, Token).CountAsync(Token),
            ])
            {
                var failure = await Assert.ThrowsAsync<StorageException>(call);
                Assert.Equal(address == endpoint ? StorageFault.Denied : StorageFault.Unavailable, failure.Fault);
                s_secrets.AreNotIn(failure);
            }

            s_secrets.AreNotIn(await Assert.ThrowsAsync<OpsLogException>(async () =>
                await OpsStore<RemoteStoreTests.Item>.OpenAsync(storage, new OpsStoreOptions { LoggerFactory = log }, Token)));
            s_secrets.AreNotIn($"{storage} {storage.Container} {storage.Prefix}");
        }

        s_secrets.AreNotIn(log.Text);
    }

    private sealed class NoToken : TokenCredential
    {
        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) => throw new InvalidOperationException("Nobody asks.");

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) => throw new InvalidOperationException("Nobody asks.");
    }
}
