// Goal: each server the tests need can be had. Method: ask for it.
using Xunit;

namespace OpsLog.RemoteTests.Servers;

public sealed class ServerTests
{
    [Fact]
    public async Task A_Ceph_gateway_is_there() => Assert.StartsWith("http", await TestServer.RadosGateway.RequireAsync(), StringComparison.Ordinal);

    [Fact]
    public async Task Azurite_is_there() => Assert.StartsWith("http", await TestServer.Azurite.RequireAsync(), StringComparison.Ordinal);

    [Fact]
    public async Task A_PostgreSQL_is_there() => Assert.Contains("Host=", await TestServer.PostgreSql.RequireAsync(), StringComparison.Ordinal);

    [Fact]
    public async Task A_PgBouncer_is_there() => Assert.Contains("Host=", await TestServer.PgBouncer.RequireAsync(), StringComparison.Ordinal);

    [Fact]
    public async Task S3_servers_that_ignore_conditions_are_there()
    {
        Assert.StartsWith("http", await TestServer.S3rver.RequireAsync(), StringComparison.Ordinal);
        Assert.StartsWith("http", await TestServer.Fauxqs.RequireAsync(), StringComparison.Ordinal);
    }
}
