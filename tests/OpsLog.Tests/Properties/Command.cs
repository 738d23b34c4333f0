using System.Text.Json;
using OpsLog.Tests.Corpus;

namespace OpsLog.Tests.Properties;

/// <summary>One command of a random program. <see cref="Reopen"/> and those below it are run by whoever runs the program.</summary>
internal abstract record Command
{
    public sealed record Set(string Id, string Json) : Command
    {
        public override string ToString() => $"set {Id} {Json}";
    }

    public sealed record Delete(string Id) : Command
    {
        public override string ToString() => $"delete {Id}";
    }

    public sealed record Batch(IReadOnlyList<Command> Parts) : Command
    {
        public override string ToString() => $"batch ({string.Join("; ", Parts)})";
    }

    public sealed record Archive(IReadOnlyList<string> Ids, string Period) : Command
    {
        public override string ToString() => $"archive {string.Join(' ', Ids)} to {Period}";
    }

    public sealed record Undo : Command
    {
        public override string ToString() => "undo";
    }

    public sealed record Redo : Command
    {
        public override string ToString() => "redo";
    }

    public sealed record Compact : Command
    {
        public override string ToString() => "compact";
    }

    public sealed record Flush : Command
    {
        public override string ToString() => "flush";
    }

    public sealed record Reopen : Command
    {
        public override string ToString() => "reopen";
    }

    /// <summary>Runs it on a store.</summary>
    public async Task RunAsync(OpsStore<JsonElement> store)
    {
        switch (this)
        {
            case Set set:
                await store.SetAsync(set.Id, StoreReading.Element(set.Json));
                break;
            case Delete delete:
                await store.DeleteAsync(delete.Id);
                break;
            case Batch batch:
                await store.BatchAsync(b => batch.AddTo(b));
                break;
            case Archive archive:
                await store.ArchiveAsync(archive.Ids, archive.Period);
                break;
            case Undo:
                await store.UndoAsync();
                break;
            case Redo:
                await store.RedoAsync();
                break;
            case Compact:
                await store.CompactAsync();
                break;
            case Flush:
                await store.FlushAsync();
                break;
            default:
                throw new NotSupportedException(ToString());
        }
    }
}

internal static class BatchCommands
{
    public static void AddTo(this Command.Batch batch, OpsBatch<JsonElement> target)
    {
        foreach (var part in batch.Parts)
        {
            if (part is Command.Set set) target.Set(set.Id, StoreReading.Element(set.Json));
            else target.Delete(((Command.Delete)part).Id);
        }
    }
}
