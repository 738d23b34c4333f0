// OPSLOG_S3='s3://bucket/prefix?endpoint=http://localhost:9000' AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… dotnet run samples/06-s3.cs
#:project ../src/OpsLog.S3/OpsLog.S3.csproj
#:property PublishAot=false

using OpsLog;
using OpsLog.S3;

var location = Environment.GetEnvironmentVariable("OPSLOG_S3") ?? throw new InvalidOperationException("OPSLOG_S3 says which bucket: s3://bucket/prefix");

// Credentials are no part of the location: the client library finds them where it always does.
await using var bucket = S3Storage.FromUri(location);

// An agent id, because machines that share a bucket write at the same time. No append in a bucket: one object for each group of writes.
await using (var store = await OpsStore<Reading>.OpenAsync(bucket, new OpsStoreOptions { AgentId = "sensor-1" }))
{
    await Task.WhenAll(Enumerable.Range(0, 21).Select(n => store.SetAsync($"2026-11-23/{n:00}", new Reading(20 + (n % 3))).AsTask()));
    Console.WriteLine($"{store.Count} readings in fewer appends: {store.Statistics.Appends < 21}");
    await store.CompactAsync();
}

await using (var other = await OpsStore<Reading>.OpenAsync(bucket, new OpsStoreOptions { AgentId = "report" }))
    Console.WriteLine($"elsewhere: {other.Count} readings, {other.Values.Average(reading => reading.Celsius):0.0} °C on average");

internal sealed record Reading(double Celsius);

// Prints:
// 21 readings in fewer appends: True
// elsewhere: 21 readings, 21.0 °C on average
