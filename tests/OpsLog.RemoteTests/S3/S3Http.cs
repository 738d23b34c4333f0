using Amazon.Runtime;
using OpsLog.RemoteTests.Servers;
using OpsLog.S3;

namespace OpsLog.RemoteTests.S3;

/// <summary>Puts a way to the server that fails on demand into a storage's options.</summary>
internal static class S3Http
{
    public static S3StorageOptions Through(this S3StorageOptions options, HttpMessageHandler http)
    {
        options.ConfigureClient = config =>
        {
            config.HttpClientFactory = new Factory(http);
            config.MaxErrorRetry = 10; // the storage has to set it back
        };
        return options;
    }

    private sealed class Factory(HttpMessageHandler http) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) =>
            new(http, disposeHandler: false) { Timeout = clientConfig.Timeout ?? TimeSpan.FromSeconds(100) };

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;
    }
}
