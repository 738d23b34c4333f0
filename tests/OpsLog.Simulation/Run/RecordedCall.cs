using System.Text;
using OpsLog.Storage;

namespace OpsLog.Simulation.Run;

/// <summary>A storage call that an engine made, so that it can be made again.</summary>
internal abstract record RecordedCall(StorageKey Key)
{
    /// <summary>Makes it; what comes back is its answer, or the failure.</summary>
    public async Task<object?> MakeAsync(IOpsStorage storage)
    {
        try
        {
            return await CallAsync(storage).ConfigureAwait(false);
        }
        catch (StorageException failure)
        {
            return failure;
        }
    }

    protected abstract Task<object?> CallAsync(IOpsStorage storage);

    public sealed record Read(StorageKey Key, ByteRange Range) : RecordedCall(Key)
    {
        protected override async Task<object?> CallAsync(IOpsStorage storage) => await storage.ReadAsync(Key, Range, default).ConfigureAwait(false);
    }

    public sealed record Put(StorageKey Key, byte[] Content, PutCondition Condition) : RecordedCall(Key)
    {
        protected override async Task<object?> CallAsync(IOpsStorage storage) => await storage.PutAsync(Key, new MemoryStream(Content), Condition, default).ConfigureAwait(false);

        public override string ToString() => $"put {Key} {Condition}: {Encoding.UTF8.GetString(Content)}";
    }

    public sealed record Append(StorageKey Key, byte[] Content, long ExpectedLength, Flush Flush) : RecordedCall(Key)
    {
        protected override async Task<object?> CallAsync(IOpsStorage storage) => await storage.AppendAsync(Key, Content, ExpectedLength, Flush, default).ConfigureAwait(false);

        public override string ToString() => $"append {Key} at {ExpectedLength} ({Flush}): {Encoding.UTF8.GetString(Content)}";
    }

    public sealed record List(StorageKey Key, StorageKey? After) : RecordedCall(Key)
    {
        protected override async Task<object?> CallAsync(IOpsStorage storage)
        {
            var entries = new List<StorageEntry>();
            await foreach (var entry in storage.ListAsync(Key, After, default).ConfigureAwait(false)) entries.Add(entry);
            return entries;
        }
    }

    public sealed record Delete(StorageKey Key) : RecordedCall(Key)
    {
        protected override async Task<object?> CallAsync(IOpsStorage storage)
        {
            await storage.DeleteAsync(Key, default).ConfigureAwait(false);
            return null;
        }
    }
}
