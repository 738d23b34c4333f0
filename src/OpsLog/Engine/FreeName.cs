using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Finds a name nobody has. A taken one is a leftover of a crash with the same random part: all but impossible, unless a source is seeded.</summary>
internal static class FreeName
{
    public static async ValueTask<StorageKey> FindAsync(IOpsStorage storage, NonceSource nonces, Func<string, StorageKey> name, CancellationToken ct)
    {
        while (true)
        {
            var key = name(nonces.Next());
            if (await ObjectReader.StatAsync(storage, key, ct).ConfigureAwait(false) is null) return key;
        }
    }
}
