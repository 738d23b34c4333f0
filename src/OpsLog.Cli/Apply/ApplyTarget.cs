using System.Text.Json;

namespace OpsLog.Cli.Apply;

/// <summary>Does what lines ask for, one at a time or several callers at once; counts, and acknowledges what was done.</summary>
internal sealed class ApplyTarget(ApplyStore stores, AckWriter acknowledgements)
{
    private long _operations;
    private long _nothingToDo;

    /// <summary>Operations done so far, each of a batch counted.</summary>
    public long Operations => Interlocked.Read(ref _operations);

    /// <summary>Operations among them that had nothing to do.</summary>
    public long NothingToDo => Interlocked.Read(ref _nothingToDo);

    /// <summary>A set or delete. Cancellation is the caller's, between operations: one that has begun is brought to its end.</summary>
    public async ValueTask ApplyAsync(ApplyOperation operation)
    {
        bool changed;
        try
        {
            changed = await stores.CallAsync(OneAsync, operation).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            throw new InputLineException(operation.Line, exception);
        }

        Count(1, changed ? 0 : 1);
        acknowledgements.Add(operation.Line);
    }

    /// <summary>Neighbouring lines as one batch; each line is acknowledged when the batch is.</summary>
    public async ValueTask ApplyGroupAsync(List<ApplyOperation> operations)
    {
        acknowledgements.Flush();
        try
        {
            await BatchAsync(operations).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            throw new InputLineException(operations[0].Line, exception);
        }

        acknowledgements.AddAll(operations);
    }

    /// <summary>A line that is neither set nor delete. Nothing else may be under way.</summary>
    public async ValueTask ApplyAloneAsync(ApplyLine line)
    {
        acknowledgements.Flush();
        try
        {
            if (line.Kind == ApplyKind.Batch)
                await BatchAsync(line.Operations).ConfigureAwait(false);
            else
                Count(1, await stores.CallAsync(RunAsync, line).ConfigureAwait(false) ? 0 : 1);
        }
        catch (Exception exception)
        {
            throw new InputLineException(line.Number, exception);
        }

        acknowledgements.Add(line.Number);
        acknowledgements.Flush();
    }

    /// <summary>Hands everything that was acknowledged to the operating system or further, as the store's durability says.</summary>
    public async ValueTask FlushAsync() => await stores.CallAsync(
        static async (store, _) =>
        {
            await store.FlushAsync().ConfigureAwait(false);
            return true;
        },
        0).ConfigureAwait(false);

    /// <summary>Takes in what other writers wrote. Nothing else may be under way.</summary>
    public async ValueTask RefreshAsync()
    {
        acknowledgements.Flush();
        await stores.CallAsync(static (store, _) => store.RefreshAsync(), 0).ConfigureAwait(false);
    }

    private async ValueTask<bool> OneAsync(OpsStore<JsonElement> store, ApplyOperation operation)
    {
        if (operation.Document is not { } document)
        {
            var delete = store.DeleteAsync(operation.Id);
            if (!delete.IsCompleted) acknowledgements.FlushMeanwhile();
            return await delete.ConfigureAwait(false);
        }

        var set = store.SetAsync(operation.Id, document);
        if (!set.IsCompleted) acknowledgements.FlushMeanwhile();
        await set.ConfigureAwait(false);
        return true;
    }

    private static async ValueTask<bool> RunAsync(OpsStore<JsonElement> store, ApplyLine line)
    {
        switch (line.Kind)
        {
            case ApplyKind.Undo:
                return await store.UndoAsync().ConfigureAwait(false);
            case ApplyKind.Redo:
                return await store.RedoAsync().ConfigureAwait(false);
            case ApplyKind.Archive:
                return line.Ids.Count > 0 && await store.ArchiveAsync(line.Ids, line.Segment).ConfigureAwait(false) > 0;
            case ApplyKind.Compact:
                await store.CompactAsync().ConfigureAwait(false);
                return true;
            default:
                await store.RefreshAsync().ConfigureAwait(false);
                return true;
        }
    }

    private async ValueTask BatchAsync(List<ApplyOperation> operations)
    {
        var nothing = await stores.CallAsync(BatchAsync, operations).ConfigureAwait(false);
        Count(operations.Count, nothing);
    }

    private static async ValueTask<int> BatchAsync(OpsStore<JsonElement> store, List<ApplyOperation> operations)
    {
        var nothing = CountAbsentDeletes(store, operations);
        if (operations.Count == 0) return nothing;
        await store.BatchAsync(batch =>
        {
            foreach (var operation in operations)
            {
                if (operation.Document is { } document) batch.Set(operation.Id, document);
                else batch.Delete(operation.Id);
            }
        }).ConfigureAwait(false);
        return nothing;
    }

    /// <summary>How many of a batch's deletes will find nothing, given what the batch itself does before them.</summary>
    private static int CountAbsentDeletes(OpsStore<JsonElement> store, List<ApplyOperation> operations)
    {
        if (operations.TrueForAll(o => o.Document is not null)) return 0;
        var changed = new Dictionary<string, bool>(StringComparer.Ordinal);
        var absent = 0;
        foreach (var operation in operations)
        {
            var there = changed.TryGetValue(operation.Id, out var known) ? known : store.ContainsKey(operation.Id);
            if (operation.Document is null && !there) absent++;
            changed[operation.Id] = operation.Document is not null;
        }

        return absent;
    }

    private void Count(int operations, int nothing)
    {
        Interlocked.Add(ref _operations, operations);
        if (nothing > 0) Interlocked.Add(ref _nothingToDo, nothing);
    }
}
