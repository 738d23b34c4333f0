using System.Collections;
using System.Diagnostics.CodeAnalysis;
using OpsLog.Engine;

namespace OpsLog;

/// <summary>A store at one point in time, from <see cref="OpsStore{T}.View"/>. Immutable and safe for concurrent use.</summary>
/// <typeparam name="T">The document type.</typeparam>
public sealed class OpsView<T> : IReadOnlyDictionary<string, T>
{
    private readonly StoreView _view;
    private readonly DocumentCodec<T> _documents;

    internal OpsView(StoreView view, DocumentCodec<T> documents) => (_view, _documents) = (view, documents);

    /// <summary>The number of records.</summary>
    public int Count => _view.Records.Count;

    /// <summary>The ids, in no order.</summary>
    public IEnumerable<string> Keys
    {
        get
        {
            foreach (var entry in _view.Records) yield return entry.Handle.IdText();
        }
    }

    /// <summary>The documents, in no order.</summary>
    public IEnumerable<T> Values
    {
        get
        {
            foreach (var entry in _view.Records.WithDocuments()) yield return Value(entry);
        }
    }

    /// <summary>A record's document.</summary>
    /// <param name="key">The id.</param>
    /// <exception cref="KeyNotFoundException">There is no such record.</exception>
    public T this[string key] => TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"There is no record '{key}'.");

    /// <summary>Whether there is such a record.</summary>
    public bool ContainsKey(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _view.Records.TryGet(key, out var location, out _, out _) && location.IsLive;
    }

    /// <summary>A record's document, if there is such a record.</summary>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out T value)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!_view.Records.TryGet(key, out var location, out var made, out var handle) || location.IsTombstone)
        {
            value = default;
            return false;
        }

        value = Value(new RecordEntry(handle, location, made));
        return true;
    }

    /// <summary>A record's stored JSON: minified UTF-8, byte for byte as it was written. A copy.</summary>
    public bool TryGetJson(string id, out ReadOnlyMemory<byte> json)
    {
        ArgumentNullException.ThrowIfNull(id);
        var found = _view.Records.TryGet(id, out var location, out _, out _) && location.IsLive;
        json = found ? StoreState.Read(_view.Extents, location).Document.ToArray() : default;
        GC.KeepAlive(this); // the document may lie in memory that is mapped while the view holds it
        return found;
    }

    /// <summary>The records, in no order.</summary>
    public IEnumerator<KeyValuePair<string, T>> GetEnumerator()
    {
        foreach (var entry in _view.Records.WithDocuments()) yield return new(entry.Handle.IdText(), Value(entry));
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private T Value(in RecordEntry entry)
    {
        if (entry.Value is { } made) return Documents.Unwrap<T>(made)!;
        var record = StoreState.Read(_view.Extents, entry.Location);
        var value = _documents.Decode(entry.Handle.IdText(), record.Document)!;
        GC.KeepAlive(this); // as above
        return value;
    }
}
