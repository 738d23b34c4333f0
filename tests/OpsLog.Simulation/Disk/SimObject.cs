using OpsLog.Storage;

namespace OpsLog.Simulation.Disk;

/// <summary>A stored object: its bytes, how many of them a power loss leaves, and who wrote it. A change makes another one: copies of a disk share them.</summary>
internal sealed class SimObject
{
    private readonly Bytes _bytes;
    private ulong? _state;
    private ulong? _fingerprint;

    public SimObject(string key, byte[] bytes, long version, DateTimeOffset modified, int creator)
        : this(key, new Bytes(bytes), bytes.Length, bytes.Length, version, modified, creator)
    {
    }

    private SimObject(string key, Bytes bytes, int length, int durable, long version, DateTimeOffset modified, int creator) =>
        (Key, _bytes, Length, Durable, Version, Modified, Creator) = (key, bytes, length, durable, version, modified, creator);

    public string Key { get; }

    public int Length { get; }

    public int Durable { get; }

    public long Version { get; }

    public DateTimeOffset Modified { get; }

    /// <summary>The opening that created it.</summary>
    public int Creator { get; }

    /// <summary>Its bytes and version as one number.</summary>
    public ulong State => _state ??= Hashing.Of(Span, (ulong)Version);

    /// <summary>All of it as one number, for telling states of the disk apart.</summary>
    public ulong Fingerprint => _fingerprint ??= Hashing.Of(Span, Hashing.Add(Hashing.Add(Hashing.Of(Key), (ulong)Version), (ulong)Durable));

    public ReadOnlySpan<byte> Span => _bytes.Array.AsSpan(0, Length);

    public ReadOnlyMemory<byte> Slice(int offset, int count) => _bytes.Array.AsMemory(offset, count);

    public SimObject Append(ReadOnlySpan<byte> added, long version, DateTimeOffset now) =>
        new(Key, _bytes.Append(Length, added), Length + added.Length, Durable, version, now, Creator);

    public SimObject Sync() => Durable == Length ? this : new(Key, _bytes, Length, Length, Version, Modified, Creator) { _state = _state };

    /// <summary>A power loss: all from some byte on is gone.</summary>
    public SimObject Cut(int length, long version) => new(Key, new Bytes(Span[..length].ToArray()), length, length, version, Modified, Creator);

    public StorageVersion Tag => new(Version.ToString(System.Globalization.CultureInfo.InvariantCulture));

    // What is used of it never changes: readers may keep what they were handed. Who appends first behind its end goes on in it, any other in one of its own.
    private sealed class Bytes(byte[] array)
    {
        private int _used = array.Length;

        public byte[] Array => array;

        public Bytes Append(int length, ReadOnlySpan<byte> added)
        {
            var bytes = this;
            if (length != _used || length + added.Length > array.Length)
            {
                bytes = new Bytes(new byte[Math.Max(length * 2, length + added.Length + 256)]);
                array.AsSpan(0, length).CopyTo(bytes.Array);
            }

            added.CopyTo(bytes.Array.AsSpan(length));
            bytes._used = length + added.Length;
            return bytes;
        }
    }
}
