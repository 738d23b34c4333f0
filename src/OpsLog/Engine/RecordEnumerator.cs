using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace OpsLog.Engine;

/// <summary>A record as the enumerator met it: location and document belong together.</summary>
internal readonly struct RecordEntry(RecordHandle handle, RecordLocation location, object? value)
{
    /// <summary>Where it was found; also its id.</summary>
    public RecordHandle Handle { get; } = handle;

    /// <summary>Where its bytes lie.</summary>
    public RecordLocation Location { get; } = location;

    /// <summary>The document, if it has been made.</summary>
    public object? Value { get; } = value;
}

/// <summary>
/// Goes through records in the order of their hashes, segment by segment. Over the live table it is weakly consistent: it never throws
/// and shows no record twice; a record that is there from beginning to end is shown, one that comes or goes meanwhile may be.
/// </summary>
/// <remarks>
/// A segment that is replaced meanwhile is finished as it was; the next one begins at the first hash behind its range. Ranges are only
/// ever divided, so that the hash is the beginning of a segment in every later directory. Who meets the lower half of a divided segment meets
/// the upper one as well: that one is put into the directory first.
/// </remarks>
internal struct RecordEnumerator
{
    private readonly RecordTable? _table;
    private readonly RecordSegment[] _directory;
    private readonly bool _withTombstones;
    private readonly bool _readsDocuments;
    private RecordSegment _segment;
    private ulong _occupied;
    private int _word;
    private int _index;
    private RecordLocation _location;
    private object? _value;

    internal RecordEnumerator(RecordTable? table, RecordSegment[] directory, bool withTombstones, bool readsDocuments = false)
    {
        _readsDocuments = readsDocuments;
        _table = table;
        _directory = directory;
        _withTombstones = withTombstones;
        _segment = RecordReader.SegmentOf(directory, 0);
        _occupied = _segment.Occupied(0);
    }

    /// <summary>The record of the last <see cref="MoveNext"/> that returned true.</summary>
    public readonly RecordEntry Current
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(new RecordHandle(_segment, _index), _location, _value);
    }

    /// <summary>Makes <c>foreach</c> work on an enumerator.</summary>
    public readonly RecordEnumerator GetEnumerator() => this;

    /// <summary>Goes to the next record.</summary>
    public bool MoveNext()
    {
        do
        {
            RecordSegment segment = _segment;
            while (_occupied != 0)
            {
                int index = (_word * RecordSegment.WordBits) + BitOperations.TrailingZeroCount(_occupied);
                _occupied &= _occupied - 1;
                if (segment.TryRead(index, out RecordLocation location, out object? value) && (_withTombstones || location.IsLive))
                {
                    _index = index;
                    _location = location;
                    _value = value;
                    return true;
                }
            }
        }
        while (NextWord());
        return false;
    }

    /// <summary>
    /// The shortest way to documents: takes the next slot if a document lies there. A document that is there is of a live record, and of its
    /// newest version. If none does, <see cref="MoveNext"/> goes on from the same slot, or finds the end.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTakeMade([NotNullWhen(true)] out object? made)
    {
        while (_occupied == 0)
        {
            if (NextWord())
                continue;
            made = null;
            return false;
        }

        made = _segment.ValueAt((_word * RecordSegment.WordBits) + BitOperations.TrailingZeroCount(_occupied));
        if (made is null)
            return false;
        _occupied &= _occupied - 1;
        return true;
    }

    private bool NextWord()
    {
        if (++_word * RecordSegment.WordBits >= _segment.Capacity)
        {
            ulong next = _segment.End;
            if (next == 0)
            {
                _word--;
                return false;
            }

            _segment = RecordReader.SegmentOf(_table is null ? _directory : _table.Directory, next);
            _word = 0;
        }

        _occupied = _segment.Occupied(_word);
        if (_readsDocuments)
            _segment.FetchValues(_word, _occupied);
        return true;
    }
}
