using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using OpsLog.Engine;

namespace OpsLog;

public sealed partial class OpsStore<T>
{
    /// <summary>The number of records. Exact at the moment of the call.</summary>
    public int Count => _engine.State.Records.Count;

    /// <summary>The ids, in no order; weakly consistent like <see cref="GetEnumerator"/>.</summary>
    public IEnumerable<string> Keys
    {
        get
        {
            foreach (var entry in _engine.State.Records) yield return entry.Handle.IdText();
        }
    }

    /// <summary>The documents, in no order; weakly consistent like <see cref="GetEnumerator"/>.</summary>
    public OpsValues<T> Values => field ??= new OpsValues<T>(_engine, _documents);

    IEnumerable<T> IReadOnlyDictionary<string, T>.Values => Values;

    /// <summary>A record's document.</summary>
    /// <param name="key">The id.</param>
    /// <exception cref="KeyNotFoundException">There is no such record.</exception>
    /// <exception cref="OpsLogException">The stored bytes are no <typeparamref name="T"/>.</exception>
    public T this[string key] =>
        TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"There is no record '{key}'.");

    /// <summary>Whether there is such a record.</summary>
    public bool ContainsKey(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _engine.State.Records.TryGet(key, out var location, out _, out _) && location.IsLive;
    }

    /// <summary>A record's document, if there is such a record. Takes no lock and allocates nothing once the document was read before.</summary>
    /// <exception cref="OpsLogException">The stored bytes are no <typeparamref name="T"/>.</exception>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out T value)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (_engine.State.Records.TryGetValueFast(key, out _, out _) is { } made)
        {
            value = Documents.Unwrap<T>(made)!;
            return true;
        }

        return TryRead(key, out value, out _, wantsRevision: false);
    }

    /// <summary>A record's document and the revision it comes from, as one pair.</summary>
    /// <exception cref="OpsLogException">The stored bytes are no <typeparamref name="T"/>.</exception>
    public bool TryGet(string id, [MaybeNullWhen(false)] out T value, out Revision revision)
    {
        ArgumentNullException.ThrowIfNull(id);
        return TryRead(id, out value, out revision, wantsRevision: true);
    }

    /// <summary>A record's stored JSON: minified UTF-8, byte for byte as it was written. A copy.</summary>
    public bool TryGetJson(string id, out ReadOnlyMemory<byte> json)
    {
        ArgumentNullException.ThrowIfNull(id);
        return _engine.TryReadDocument(id, out json, out _);
    }

    /// <summary>
    /// Goes through the records in no order. Weakly consistent: never throws because of writes, shows no record twice, shows every record that
    /// is there throughout, and may or may not show changes made meanwhile. For one point in time use <see cref="View"/>.
    /// </summary>
    public IEnumerator<KeyValuePair<string, T>> GetEnumerator()
    {
        var state = _engine.State;
        var extents = state.Extents.Current;
        foreach (var entry in state.Records.WithDocuments())
        {
            if (Documents.TryMaterialise(state, extents, entry, _documents, out var value)) yield return new(entry.Handle.IdText(), value!);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>
    /// The store at one point in time: whole batches only, unchanged by whatever is written later. Made in constant time without stopping
    /// writers; memory is shared with the store until it changes. Nothing to dispose: it goes with the last reference.
    /// </summary>
    public OpsView<T> View() => new(_engine.View(), _documents);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryRead(string id, [MaybeNullWhen(false)] out T value, out Revision revision, bool wantsRevision)
    {
        (value, revision) = (default, default);
        for (var missed = default(RecordLocation); ;)
        {
            var state = _engine.State;
            if (!state.Records.TryGet(id, out var location, out var made, out var handle) || location.IsTombstone) return false;
            var extent = state.ExtentOf(location, ref missed);
            // The record may have moved (a checkpoint) between the two reads, and its old extent may be gone or be another.
            if (extent is null || !state.Records.TryGet(id, out var again, out _, out _) || again != location) continue;
            if (made is not null && !wantsRevision)
            {
                value = Documents.Unwrap<T>(made)!;
                return true;
            }

            var record = StoredRecord.Parse(extent, extent.LineFrom(location.Offset));
            revision = record.Revision;
            made ??= state.TryCache(handle, location, Documents.Wrap(_documents.Decode(id, record.Document)));
            GC.KeepAlive(extent);
            value = Documents.Unwrap<T>(made)!;
            return true;
        }
    }
}
