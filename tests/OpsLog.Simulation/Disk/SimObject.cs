using OpsLog.Storage;

namespace OpsLog.Simulation.Disk;

/// <summary>A stored object: its bytes, how many of them a power loss leaves, and who wrote it.</summary>
internal sealed class SimObject(string key, byte[] bytes, long version, DateTimeOffset modified, int creator)
{
    // Grows by copying, or behind the used length: readers may keep what they were handed.
    private byte[] _bytes = bytes;
    private ulong? _state;
    private ulong? _fingerprint;

    public string Key { get; } = key;

    public int Length { get; private set; } = bytes.Length;

    public int Durable { get; private set; } = bytes.Length;

    public long Version { get; private set; } = version;

    public DateTimeOffset Modified { get; private set; } = modified;

    /// <summary>The opening that created it.</summary>
    public int Creator { get; } = creator;

    /// <summary>Its bytes and version as one number.</summary>
    public ulong State => _state ??= Hashing.Of(Span, (ulong)Version);

    /// <summary>All of it as one number, for telling states of the disk apart.</summary>
    public ulong Fingerprint => _fingerprint ??= Hashing.Of(Span, Hashing.Add(Hashing.Add(Hashing.Of(Key), (ulong)Version), (ulong)Durable));

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    public ReadOnlyMemory<byte> Slice(int offset, int count) => _bytes.AsMemory(offset, count);

    public void Append(ReadOnlySpan<byte> added, long version, DateTimeOffset now)
    {
        if (added.IsEmpty) return;
        if (Length + added.Length > _bytes.Length)
        {
            var larger = new byte[Math.Max(_bytes.Length * 2, Length + added.Length + 256)];
            Span.CopyTo(larger);
            _bytes = larger;
        }

        added.CopyTo(_bytes.AsSpan(Length));
        Length += added.Length;
        (Version, Modified, _state, _fingerprint) = (version, now, null, null);
    }

    public void Sync() => (Durable, _fingerprint) = (Length, null);

    /// <summary>A power loss: all from some byte on is gone.</summary>
    public void Cut(int length, long version)
    {
        _bytes = _bytes.AsSpan(0, length).ToArray();
        (Length, Durable, Version, _state, _fingerprint) = (length, length, version, null, null);
    }

    public StorageVersion Tag => new(Version.ToString(System.Globalization.CultureInfo.InvariantCulture));
}
