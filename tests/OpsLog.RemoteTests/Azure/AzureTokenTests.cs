// Goal: a token service or gateway that is away for a moment costs a moment, and one that refuses is told at once. Method: credentials that fail as those of Azure.Identity do, and a server in memory.
using System.Net;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using OpsLog.AzureBlobs;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.Azure;

public sealed class AzureTokenTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static readonly Exception[] s_passing =
    [
        new AuthenticationFailedException("ManagedIdentityCredential authentication failed.", new HttpRequestException("Connection refused.")),
        new AuthenticationFailedException("Service request failed.", new global::Azure.RequestFailedException(503, "busy")),
        new AuthenticationFailedException("No response.", new AggregateException(new global::Azure.RequestFailedException("Retry failed."))),
    ];

    private static readonly Exception[] s_lasting =
    [
        new AuthenticationFailedException("The secret is wrong.", new global::Azure.RequestFailedException(401, "invalid_client")),
        new AuthenticationFailedException("No credential is there."),
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_token_that_cannot_be_had_just_now_is_asked_for_again(int failure)
    {
        var credential = new Failing(s_passing[failure], 2);
        Assert.Null(await Open(credential).ReadAsync(new StorageKey("x"), new ByteRange(0, 0), Token));
        Assert.Equal(3, credential.Asked);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_token_that_is_refused_is_denied_at_once(int failure)
    {
        var credential = new Failing(s_lasting[failure], 2);
        var told = await Assert.ThrowsAsync<StorageException>(async () => await Open(credential).ReadAsync(new StorageKey("x"), new ByteRange(0, 0), Token));
        Assert.Equal((StorageFault.Denied, 1), (told.Fault, credential.Asked));
    }

    [Fact]
    public async Task A_key_or_token_that_the_server_does_not_take_is_told_with_the_clock()
    {
        var told = await Assert.ThrowsAsync<StorageException>(async () => await Open(new Failing(s_lasting[0], 0), refused: "AuthenticationFailed").ReadAsync(new StorageKey("x"), new ByteRange(0, 0), Token));
        Assert.Equal(StorageFault.Denied, told.Fault);
        Assert.Contains("clock", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_credential_that_the_program_gives_goes_before_a_connection_string_of_the_environment()
    {
        var credential = new Failing(s_lasting[0], 0);
        var server = new Empty();
        Environment.SetEnvironmentVariable("AZURE_STORAGE_CONNECTION_STRING", $"AccountName=other;AccountKey={AzureRig.PublishedKey}");
        Environment.SetEnvironmentVariable("AZURE_STORAGE_ACCOUNT", "account");
        try
        {
            await using var storage = new AzureBlobStorage("container", new AzureBlobStorageOptions
            {
                Credential = credential,
                ConfigureClient = client => client.Transport = new HttpClientTransport(new HttpClient(server)),
            });
            Assert.Null(await storage.ReadAsync(new StorageKey("x"), new ByteRange(0, 0), Token));
            Assert.Equal(("account.blob.core.windows.net", true), (server.Host, credential.Asked > 0));
            Environment.SetEnvironmentVariable("AZURE_STORAGE_ACCOUNT", null);
            Assert.Throws<ArgumentException>(() => new AzureBlobStorage("container", new AzureBlobStorageOptions { Credential = credential }));
        }
        finally
        {
            Environment.SetEnvironmentVariable("AZURE_STORAGE_CONNECTION_STRING", null);
            Environment.SetEnvironmentVariable("AZURE_STORAGE_ACCOUNT", null);
        }
    }

    [Fact]
    public async Task An_error_that_cannot_be_read_is_no_answer()
    {
        Assert.Null(await Open(new Failing(s_lasting[0], 0), unreadable: 2).ReadAsync(new StorageKey("x"), new ByteRange(0, 0), Token));
        await using var storage = Open(new Failing(s_lasting[0], 0), unreadable: int.MaxValue, budget: TimeSpan.Zero);
        var told = await Assert.ThrowsAsync<StorageException>(async () => await storage.PutAsync(new StorageKey("x"), new MemoryStream(new byte[1]), PutCondition.IfAbsent, Token));
        Assert.Equal((StorageFault.Unavailable, true), (told.Fault, told.OutcomeUnknown));
    }

    private static AzureBlobStorage Open(TokenCredential credential, int unreadable = 0, TimeSpan? budget = null, string? refused = null) => new("container", new AzureBlobStorageOptions
    {
        Endpoint = "https://account.example",
        Credential = credential,
        ConfigureClient = client => client.Transport = new HttpClientTransport(new HttpClient(new Empty { Unreadable = unreadable, Refused = refused })),
        RetryBudget = budget ?? TimeSpan.FromSeconds(30),
    });

    private sealed class Failing(Exception failure, int times) : TokenCredential
    {
        public int Asked { get; private set; }

        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            ++Asked <= times ? throw failure : new AccessToken("t", DateTimeOffset.MaxValue);

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) => new(GetToken(requestContext, cancellationToken));
    }

    private sealed class Empty : HttpMessageHandler
    {
        /// <summary>How many requests a gateway answers that has nothing to say.</summary>
        public int Unreadable { get; set; }

        /// <summary>The code with which everything is forbidden; null: nothing is.</summary>
        public string? Refused { get; init; }

        /// <summary>Who was asked last.</summary>
        public string? Host { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Host = request.RequestUri!.Host;
            if (Unreadable-- > 0) return Task.FromResult(new HttpResponseMessage(HttpStatusCode.BadGateway) { RequestMessage = request, Content = new StringContent("", System.Text.Encoding.UTF8, "application/xml") });
            if (Refused is { } code) return Task.FromResult(new HttpResponseMessage(HttpStatusCode.Forbidden) { RequestMessage = request, Content = new ByteArrayContent([]), Headers = { { "x-ms-error-code", code } } });
            // A look finds nothing; a listing is empty.
            var answer = request.Method == HttpMethod.Head ? new HttpResponseMessage(HttpStatusCode.NotFound) : new HttpResponseMessage(HttpStatusCode.OK)
            {
                Content = new StringContent("<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>", System.Text.Encoding.UTF8, "application/xml"),
            };
            answer.RequestMessage = request;
            return Task.FromResult(answer);
        }
    }
}
