namespace OpsLog.Storage;

/// <summary>What a storage can do.</summary>
[Flags]
public enum StorageCapabilities
{
    /// <summary>Whole objects only; the log writer makes one numbered object per flush.</summary>
    None = 0,

    /// <summary><see cref="IOpsStorage.AppendAsync"/> works.</summary>
    Append = 1,

    /// <summary><see cref="IOpsStorage.ListAsync"/> yields names in ordinal order.</summary>
    ListIsOrdered = 2,

    /// <summary>The storage can tell of changes without being asked: <see cref="IOpsStorage.NextChangeAsync"/>.</summary>
    Notify = 4,

    /// <summary>A writer's life can be observed: an append to what a living writer holds gives <see cref="PutOutcome.Held"/>.</summary>
    HoldsWriters = 8,
}

/// <summary>How a put or append ended.</summary>
public enum PutOutcome
{
    /// <summary>The bytes are there, as durable as asked.</summary>
    Stored,

    /// <summary>The condition did not hold; nothing was written.</summary>
    Conflict,

    /// <summary>Another living writer holds the object; nothing was written.</summary>
    Held,
}

/// <summary>The result of a put or append.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Version">The object's version after it, where the storage knows it; else empty.</param>
/// <param name="Detail">Who holds the object or what was found instead, in words, for <see cref="PutOutcome.Held"/> and <see cref="PutOutcome.Conflict"/>.</param>
public readonly record struct PutResult(PutOutcome Outcome, StorageVersion Version = default, string? Detail = null)
{
    /// <summary>Whether the bytes are there.</summary>
    public bool IsStored => Outcome == PutOutcome.Stored;

    /// <summary>After an append: the object takes no more than some thousand further ones. Begin another soon.</summary>
    public bool IsNearlyFull { get; init; }
}

/// <summary>An object in a listing.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Length">Its length in bytes when it was listed.</param>
/// <param name="LastModified">When it last changed, by the storage's clock. Information only: nothing is decided by it but grace periods.</param>
public readonly record struct StorageEntry(StorageKey Key, long Length, DateTimeOffset LastModified);

/// <summary>The bytes of an object from <paramref name="Offset"/> on.</summary>
/// <param name="Offset">The first byte, counted from 0.</param>
/// <param name="Length">How many at most; <see langword="null"/> for all to the end.</param>
public readonly record struct ByteRange(long Offset, long? Length = null)
{
    /// <summary>The whole object.</summary>
    public static ByteRange All => default;
}

/// <summary>
/// What a read found. <see cref="Memory"/> is set when the bytes are at hand (in memory, or mapped); otherwise read <see cref="Content"/>.
/// The memory must not be used after disposal, nor after the finaliser of an undisposed object that nobody refers to.
/// </summary>
public sealed class StoredObject : IAsyncDisposable
{
    private readonly IDisposable? _owner;
    private Stream? _content;

    /// <summary>An object whose bytes are at hand.</summary>
    /// <param name="memory">The bytes of the range that was read.</param>
    /// <param name="length">The whole object's length in bytes.</param>
    /// <param name="version">Its version.</param>
    /// <param name="owner">What keeps the bytes alive; disposed with this.</param>
    public StoredObject(ReadOnlyMemory<byte> memory, long length, StorageVersion version, IDisposable? owner = null)
    {
        (Memory, Length, Version, _owner) = (memory, length, version, owner);
    }

    /// <summary>An object whose bytes come as a stream.</summary>
    /// <param name="content">The bytes of the range that was read.</param>
    /// <param name="length">The whole object's length in bytes.</param>
    /// <param name="version">Its version.</param>
    public StoredObject(Stream content, long length, StorageVersion version)
    {
        (_content, Length, Version) = (content, length, version);
    }

    // Mapped memory, and a way to the same bytes that touches none of its pages.
    internal StoredObject(MappedMemory memory, Stream content, long length, StorageVersion version)
        : this(memory.Memory, length, version, memory)
    {
        _content = content;
    }

    /// <summary>The whole object's length in bytes when it was read, whatever range was asked for.</summary>
    public long Length { get; }

    /// <summary>The object's version when it was read.</summary>
    public StorageVersion Version { get; }

    /// <summary>The bytes of the range, if they are at hand.</summary>
    public ReadOnlyMemory<byte>? Memory { get; }

    /// <summary>The bytes of the range as a stream.</summary>
    public Stream Content => _content ??= new ReadOnlyMemoryStream(Memory.GetValueOrDefault());

    /// <summary>All bytes of the range, copied if need be.</summary>
    /// <exception cref="StorageException">The stream broke before its end.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadToEndAsync(CancellationToken cancellationToken)
    {
        if (Memory is { } memory) return memory;
        using var buffer = new MemoryStream();
        await Content.CopyToAsync(buffer, cancellationToken).ConfigureAwait(false);
        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }

    /// <summary>Nobody reads the stream any more; the memory stays.</summary>
    internal ValueTask CloseContentAsync() => _content?.DisposeAsync() ?? default;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseContentAsync().ConfigureAwait(false);
        _owner?.Dispose();
    }
}
