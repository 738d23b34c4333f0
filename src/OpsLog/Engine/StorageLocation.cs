using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Turns where a store is into the storage that holds it.</summary>
internal static class StorageLocation
{
    public static IOpsStorage Open(string location, TimeProvider time, Random? random, bool mapReads = true)
    {
        var scheme = location.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 0) return new FileStorage(location, new FileStorageOptions { TimeProvider = time, Random = random, MapReads = mapReads });
        if (location.StartsWith("file://", StringComparison.OrdinalIgnoreCase))
            return new FileStorage(new Uri(location).LocalPath, new FileStorageOptions { TimeProvider = time, Random = random, MapReads = mapReads });
        throw new ArgumentException(
            $"'{location[..scheme]}' is no storage that is known here. Give a folder, or open the storage yourself and pass it to OpenAsync.", nameof(location));
    }
}
