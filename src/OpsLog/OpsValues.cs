using System.Collections;
using System.Runtime.CompilerServices;
using OpsLog.Engine;

namespace OpsLog;

/// <summary>The documents of a store, from <see cref="OpsStore{T}.Values"/>: whatever is in the store while they are gone through.</summary>
/// <typeparam name="T">The document type.</typeparam>
/// <remarks>Weakly consistent like the store's own enumeration: never throws because of writes, and shows no record twice. Safe for concurrent use.</remarks>
public sealed class OpsValues<T> : IReadOnlyCollection<T>
{
    private readonly StoreEngine _engine;
    private readonly DocumentCodec<T> _documents;

    internal OpsValues(StoreEngine engine, DocumentCodec<T> documents) => (_engine, _documents) = (engine, documents);

    /// <summary>The number of records. Exact at the moment of the call.</summary>
    public int Count => _engine.State.Records.Count;

    /// <summary>Goes through the documents in no order. With <c>foreach</c> nothing is allocated but documents that are read for the first time.</summary>
    public Enumerator GetEnumerator() => new(_engine.State, _documents);

    IEnumerator<T> IEnumerable<T>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Goes through the documents. For one thread.</summary>
    public struct Enumerator : IEnumerator<T>
    {
        private readonly StoreState _state;
        private readonly DocumentCodec<T> _documents;
        private Extent?[] _extents;
        private RecordEnumerator _records;
        private T _current;

        internal Enumerator(StoreState state, DocumentCodec<T> documents)
        {
            (_state, _documents, _extents, _current) = (state, documents, state.Extents.Current, default!);
            _records = state.Records.WithDocuments();
        }

        /// <summary>The document of the last <see cref="MoveNext"/> that returned true.</summary>
        public readonly T Current => _current;

        readonly object? IEnumerator.Current => _current;

        /// <summary>Goes to the next document; false behind the last one.</summary>
        /// <exception cref="OpsLogException">The stored bytes are no <typeparamref name="T"/>.</exception>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool MoveNext()
        {
            if (!_records.TryTakeMade(out var made)) return MoveOn();
            _current = Engine.Documents.Unwrap<T>(made)!;
            return true;
        }

        /// <summary>Begins anew.</summary>
        public void Reset()
        {
            _extents = _state.Extents.Current;
            _records = _state.Records.WithDocuments();
        }

        /// <summary>Does nothing: nothing is held.</summary>
        public readonly void Dispose()
        {
        }

        // Kept apart, so that the loop over documents that are there stays small enough to be inlined.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private bool MoveOn()
        {
            while (_records.MoveNext())
            {
                if (!Engine.Documents.TryMaterialise(_state, _extents, _records.Current, _documents, out var document)) continue;
                _current = document!;
                return true;
            }

            return false;
        }
    }
}
