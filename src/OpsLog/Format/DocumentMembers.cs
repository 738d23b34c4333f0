using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

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

    /// <summary>The next member in the same bucket, plus 1.</summary>
    internal int Next;
}

/// <summary>
/// The top-level members of a minified object. Names are equal if their texts are, however they are escaped. A few members lie in the
/// space the caller gives and are searched one by one; more are rented memory with a table of buckets: dispose of it.
/// </summary>
/// <param name="text">The object's text.</param>
/// <param name="space">Room for <see cref="Few"/> members, of any content.</param>
internal ref struct DocumentMembers(ReadOnlySpan<byte> text, Span<DocumentMember> space)
{
    /// <summary>Up to how many members are searched one by one.</summary>
    public const int Few = 16;

    private readonly ReadOnlySpan<byte> _text = text;
    private Span<DocumentMember> _members = space;
    private DocumentMember[]? _rented;
    private int[]? _buckets;
    private int _mask;

    public int Count { get; private set; }

    public readonly ref DocumentMember this[int index] => ref _members[index];

    public readonly ReadOnlySpan<byte> Name(int index) => _text[_members[index].NameStart.._members[index].NameEnd];

    public readonly ReadOnlySpan<byte> Value(int index) => _text[_members[index].ValueStart.._members[index].ValueEnd];

    /// <summary>Reads the member that starts at <paramref name="at"/> and goes behind it. False if there is no <c>"name":value</c>.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, ref int at, out DocumentMember member)
    {
        member = default;
        if (at >= text.Length || text[at] != '"') return false;
        member.NameStart = at + 1;
        member.NameEnd = JsonScan.StringEnd(text, at + 1, out member.IsEscaped);
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
        if (_buckets is not null)
        {
            for (var entry = _buckets[Hash(name, isEscaped) & _mask]; entry != 0; entry = _members[entry - 1].Next)
                if (IsNamed(entry - 1, name, isEscaped))
                    return entry - 1;
            return -1;
        }

        for (var i = 0; i < Count; i++)
            if (IsNamed(i, name, isEscaped))
                return i;
        return -1;
    }

    /// <summary>Adds a member whose name is not there yet.</summary>
    public void Add(in DocumentMember member)
    {
        if (Count == _members.Length) Grow();
        _members[Count++] = member;
        if (_buckets is not null) Link(Count - 1);
    }

    public readonly void Dispose()
    {
        if (_rented is not null) ArrayPool<DocumentMember>.Shared.Return(_rented);
        if (_buckets is not null) ArrayPool<int>.Shared.Return(_buckets);
    }

    private void Grow()
    {
        var members = ArrayPool<DocumentMember>.Shared.Rent(4 * Count);
        _members.CopyTo(members);
        Dispose();
        _rented = members;
        _members = members;

        var buckets = (int)BitOperations.RoundUpToPowerOf2((uint)(2 * members.Length));
        _buckets = ArrayPool<int>.Shared.Rent(buckets);
        _buckets.AsSpan(0, buckets).Clear();
        _mask = buckets - 1;
        for (var i = 0; i < Count; i++) Link(i);
    }

    private readonly void Link(int index)
    {
        ref var bucket = ref _buckets![Hash(Name(index), _members[index].IsEscaped) & _mask];
        _members[index].Next = bucket;
        bucket = index + 1;
    }

    private readonly bool IsNamed(int index, ReadOnlySpan<byte> name, bool isEscaped)
    {
        ref var member = ref _members[index];
        return isEscaped || member.IsEscaped
            ? SameName(name, Name(index))
            : member.NameEnd - member.NameStart == name.Length && Name(index).SequenceEqual(name);
    }

    private static int Hash(ReadOnlySpan<byte> name, bool isEscaped)
    {
        if (!isEscaped) return Hash(name);
        var rented = ArrayPool<byte>.Shared.Rent(name.Length);
        var hash = Hash(rented.AsSpan(0, JsonText.Unescape(name, rented)));
        ArrayPool<byte>.Shared.Return(rented);
        return hash;
    }

    // Keyed by the runtime, in each process anew: nobody can choose names that share a bucket. Nothing that is written depends on it.
    private static int Hash(ReadOnlySpan<byte> name)
    {
        var hash = string.GetHashCode(MemoryMarshal.Cast<byte, char>(name)); // but for the last byte of an odd number
        return (name.Length & 1) == 0 ? hash : (31 * hash) + name[^1];
    }

    private static bool SameName(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        if (left.SequenceEqual(right)) return true;
        var rented = ArrayPool<byte>.Shared.Rent(left.Length + right.Length);
        var plainLeft = rented.AsSpan(0, JsonText.Unescape(left, rented));
        var rest = rented.AsSpan(left.Length);
        var same = plainLeft.SequenceEqual(rest[..JsonText.Unescape(right, rest)]);
        ArrayPool<byte>.Shared.Return(rented);
        return same;
    }
}
