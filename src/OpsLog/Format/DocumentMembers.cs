using System.Buffers;
using System.Numerics;

namespace OpsLog.Format;

/// <summary>One member of an object, as offsets into its text; the name without its quotes.</summary>
internal struct DocumentMember
{
    public int NameStart;
    public int NameEnd;
    public int ValueStart;
    public int ValueEnd;

    /// <summary>Whether the name has escapes.</summary>
    public bool IsEscaped;

    /// <summary>Free for the user: an index into another list, a flag.</summary>
    public int Mark;

    // The next member in the same bucket, plus 1.
    internal int Next;
}

/// <summary>
/// The top-level members of a minified object, found by name in constant time. Names are equal if their texts are, however they are
/// escaped. Memory is rented: dispose of it.
/// </summary>
internal ref struct DocumentMembers
{
    private readonly ReadOnlySpan<byte> _text;
    private DocumentMember[] _members;
    private int[] _buckets;

    public DocumentMembers(ReadOnlySpan<byte> text)
    {
        _text = text;
        _members = ArrayPool<DocumentMember>.Shared.Rent(16);
        _buckets = ArrayPool<int>.Shared.Rent(32);
        Mask = 31;
        _buckets.AsSpan(0, 32).Clear();
    }

    public int Count { get; private set; }

    private int Mask { get; set; }

    public readonly ref DocumentMember this[int index] => ref _members[index];

    public readonly ReadOnlySpan<byte> Name(int index) => _text[_members[index].NameStart.._members[index].NameEnd];

    public readonly ReadOnlySpan<byte> Value(int index) => _text[_members[index].ValueStart.._members[index].ValueEnd];

    /// <summary>Reads the member that starts at <paramref name="at"/> and goes behind it. False if there is no <c>"name":value</c>.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, ref int at, out DocumentMember member)
    {
        member = default;
        if (at >= text.Length || text[at] != '"') return false;
        member.NameStart = at + 1;
        member.NameEnd = OperationCodec.StringEnd(text, at + 1, out member.IsEscaped);
        if (member.NameEnd < 0) return false;
        member.ValueStart = member.NameEnd + 2;
        if (member.ValueStart >= text.Length || text[member.NameEnd + 1] != ':') return false;
        member.ValueEnd = JsonScan.SkipValue(text, member.ValueStart);
        if (member.ValueEnd <= member.ValueStart) return false;
        at = member.ValueEnd;
        return true;
    }

    /// <summary>Goes over the comma to the next member; false at the object's end or where neither stands.</summary>
    public static bool TryNext(ReadOnlySpan<byte> text, ref int at) => at < text.Length && text[at] == ',' && ++at > 0;

    /// <summary>The index of the member of that name, or -1.</summary>
    public readonly int Find(ReadOnlySpan<byte> name, bool isEscaped)
    {
        for (var entry = _buckets[Hash(name, isEscaped) & Mask]; entry != 0; entry = _members[entry - 1].Next)
            if (SameName(name, isEscaped, Name(entry - 1), _members[entry - 1].IsEscaped))
                return entry - 1;
        return -1;
    }

    /// <summary>Adds a member whose name is not there yet.</summary>
    public void Add(in DocumentMember member)
    {
        if (Count == _members.Length || Count == Mask) Grow();
        _members[Count++] = member;
        Link(Count - 1);
    }

    public readonly void Dispose()
    {
        ArrayPool<DocumentMember>.Shared.Return(_members);
        ArrayPool<int>.Shared.Return(_buckets);
    }

    private void Grow()
    {
        var size = Math.Max(2 * Count, _members.Length);
        if (size > _members.Length)
        {
            var members = ArrayPool<DocumentMember>.Shared.Rent(size);
            _members.AsSpan(0, Count).CopyTo(members);
            ArrayPool<DocumentMember>.Shared.Return(_members);
            _members = members;
        }

        var buckets = (int)BitOperations.RoundUpToPowerOf2((uint)(2 * size));
        ArrayPool<int>.Shared.Return(_buckets);
        _buckets = ArrayPool<int>.Shared.Rent(buckets);
        _buckets.AsSpan(0, buckets).Clear();
        Mask = buckets - 1;
        for (var i = 0; i < Count; i++) Link(i);
    }

    private readonly void Link(int index)
    {
        ref var bucket = ref _buckets[Hash(Name(index), _members[index].IsEscaped) & Mask];
        _members[index].Next = bucket;
        bucket = index + 1;
    }

    private static int Hash(ReadOnlySpan<byte> name, bool isEscaped)
    {
        if (!isEscaped) return (int)JsonLines.Checksum(name);
        var rented = ArrayPool<byte>.Shared.Rent(name.Length);
        var hash = JsonLines.Checksum(rented.AsSpan(0, JsonText.Unescape(name, rented)));
        ArrayPool<byte>.Shared.Return(rented);
        return (int)hash;
    }

    private static bool SameName(ReadOnlySpan<byte> left, bool leftEscaped, ReadOnlySpan<byte> right, bool rightEscaped)
    {
        if (left.SequenceEqual(right)) return true;
        if (!leftEscaped && !rightEscaped) return false;
        var rented = ArrayPool<byte>.Shared.Rent(left.Length + right.Length);
        var plainLeft = rented.AsSpan(0, JsonText.Unescape(left, rented));
        var rest = rented.AsSpan(left.Length);
        var same = plainLeft.SequenceEqual(rest[..JsonText.Unescape(right, rest)]);
        ArrayPool<byte>.Shared.Return(rented);
        return same;
    }
}
