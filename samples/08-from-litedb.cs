// dotnet run samples/08-from-litedb.cs
#:project ../src/OpsLog/OpsLog.csproj
#:package LiteDB
#:property PublishAot=false

using LiteDB;
using OpsLog;

Directory.CreateDirectory("./.demo");
using (var old = new LiteDatabase("./.demo/customers.db"))                   // what an application has been using
{
    var customers = old.GetCollection<OldCustomer>("customers");
    customers.Insert(new OldCustomer { Name = "Ada", Tags = ["vip"] });
    customers.Insert(new OldCustomer { Name = "Bob", Tags = [] });
}

await MoveAsync("./.demo/customers.db", "./.demo/customers");

await using var store = await OpsStore<Customer>.OpenAsync("./.demo/customers");
foreach (var (id, customer) in store.OrderBy(record => record.Key))
    Console.WriteLine($"{id}: {customer.Name} {string.Join(",", customer.Tags)}");

static async Task MoveAsync(string database, string folder)
{
    using var old = new LiteDatabase($"Filename={database};ReadOnly=true");
    await using var store = await OpsStore<Customer>.OpenAsync(folder, new OpsStoreOptions { HistoryRetention = HistoryRetention.None });
    foreach (var part in old.GetCollection<OldCustomer>("customers").FindAll().Chunk(1000))
    {
        await store.BatchAsync(batch =>                                      // 1,000 records, one append, one sync
        {
            foreach (var customer in part) batch.Set($"customer/{customer.Id}", new Customer(customer.Name, customer.Tags));
        });
    }

    if (store.Count != old.GetCollection("customers").Count()) throw new InvalidOperationException("Not all of it arrived.");
    await store.CompactAsync();
}

internal sealed record Customer(string Name, IReadOnlyList<string> Tags);

internal sealed class OldCustomer
{
    public int Id { get; set; }

    public string Name { get; set; } = "";

    public List<string> Tags { get; set; } = [];
}

// Prints:
// customer/1: Ada vip
// customer/2: Bob 
