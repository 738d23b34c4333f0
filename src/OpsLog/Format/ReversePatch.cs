using System.Buffers;
using System.Runtime.CompilerServices;

namespace OpsLog.Format;

/// <summary>
/// The patch <c>{"$set":{…},"$unset":[…]}</c> that turns a new document back into the old one: first values that were there are set in
/// their place, new names are appended in order, then names are removed (docs/format.md, Deltas).
/// </summary>
internal static class ReversePatch
{
    // The package assigns members one by one, and assigning this one sets a prototype instead.
    private static ReadOnlySpan<byte> Unassignable => "__proto__"u8;

    private static ReadOnlySpan<byte> SetMember => "\"$set\":{"u8;

    private static ReadOnlySpan<byte> UnsetMember => "\"$unset\":["u8;

    /// <summary>Writes the patch, if there is one that is shorter than the old document and restores its bytes exactly.</summary>
    /// <param name="oldDoc">The old document: valid minified JSON.</param>
    /// <param name="newDoc">The new document: valid minified JSON.</param>
    /// <param name="destination">At least as long as <paramref name="oldDoc"/>.</param>
    /// <param name="written">The patch's length.</param>
    /// <returns>False: the caller must write the old document whole.</returns>
    [SkipLocalsInit]
    public static bool TryWrite(ReadOnlySpan<byte> oldDoc, ReadOnlySpan<byte> newDoc, Span<byte> destination, out int written)
    {
        written = 0;
        if (!IsObject(oldDoc) || !IsObject(newDoc)) return false;
        var members = new DocumentMembers(oldDoc, stackalloc DocumentMember[DocumentMembers.Few]);
        var added = new DocumentMembers(newDoc, stackalloc DocumentMember[DocumentMembers.Few]);
        try
        {
            // A patch that is not shorter does not fit, and is not wanted.
            var room = Math.Min(destination.Length, oldDoc.Length - 1);
            return TryRead(oldDoc, ref members)
                && TryMatch(oldDoc, newDoc, ref members, ref added)
                && HasOrderOf(members)
                && TryWrite(members, added, destination[..room], out written);
        }
        finally
        {
            members.Dispose();
            added.Dispose();
        }
    }

    /// <summary>Applies a patch, ours or the package's.</summary>
    /// <param name="newDoc">The new document, valid JSON.</param>
    /// <param name="patch">The patch, valid JSON.</param>
    /// <param name="oldDoc">Gets the old document; nothing if there is none.</param>
    /// <returns>False if <paramref name="newDoc"/> is no object or <paramref name="patch"/> no patch.</returns>
    [SkipLocalsInit]
    public static bool TryApply(ReadOnlySpan<byte> newDoc, ReadOnlySpan<byte> patch, IBufferWriter<byte> oldDoc)
    {
        if (!JsonLines.IsMinified(newDoc) || !JsonLines.IsMinified(patch)) return TryApplyMinified(newDoc, patch, oldDoc);
        if (!IsObject(newDoc) || !IsObject(patch) || !TryReadPatch(patch, out var set, out var unset)) return false;
        var members = new DocumentMembers(newDoc, stackalloc DocumentMember[DocumentMembers.Few]);
        var replacing = new DocumentMembers(set, stackalloc DocumentMember[DocumentMembers.Few]);
        var removed = new DocumentMembers(unset, stackalloc DocumentMember[DocumentMembers.Few]);
        try
        {
            if (!TryReadLastWins(newDoc, ref members) || !TryReadLastWins(set, ref replacing) || !TryReadNames(unset, ref removed)) return false;
            WriteOld(members, replacing, removed, oldDoc);
            return true;
        }
        finally
        {
            members.Dispose();
            replacing.Dispose();
            removed.Dispose();
        }
    }

    private static bool IsObject(ReadOnlySpan<byte> json) => json.Length >= 2 && json[0] == '{' && json[^1] == '}';

    /// <summary>Reads all members of an object; false where a name occurs twice.</summary>
    private static bool TryRead(ReadOnlySpan<byte> text, ref DocumentMembers members)
    {
        var at = 1;
        if (text.Length == 2) return true;
        do
        {
            if (!DocumentMembers.TryParse(text, ref at, out var member)) return false;
            if (members.Find(text[member.NameStart..member.NameEnd], member.IsEscaped) >= 0) return false;
            member.Mark = Removed;
            members.Add(member);
        }
        while (DocumentMembers.TryNext(text, ref at));

        return at == text.Length - 1;
    }

    // What became of a member of the old document in the new one: not there; there and equal; or its rank among those that differ.
    private const int Removed = -1;

    /// <summary>
    /// Marks each member of the old document with its place in the new one (twice that, plus 1 if the value differs), and lists the
    /// members that only the new one has. False where a name occurs twice.
    /// </summary>
    private static bool TryMatch(ReadOnlySpan<byte> oldDoc, ReadOnlySpan<byte> newDoc, ref DocumentMembers members, ref DocumentMembers added)
    {
        var prefix = oldDoc.CommonPrefixLength(newDoc);
        var suffix = CommonSuffixLength(oldDoc, newDoc, Math.Min(oldDoc.Length, newDoc.Length) - prefix);
        var place = 0;
        var at = 1;

        // Members that end inside the common prefix, their comma included, are the same in both.
        while (place < members.Count && members[place].ValueEnd < prefix && oldDoc[members[place].ValueEnd] == ',')
        {
            at = members[place].ValueEnd + 1;
            members[place].Mark = 2 * place;
            place++;
        }

        var old = place;
        while (newDoc[at] != '}')
        {
            // Where as much is left of both, and it is the common suffix, the rest is the same.
            var rest = newDoc.Length - at;
            while (old < members.Count && oldDoc.Length - (members[old].NameStart - 1) > rest) old++;
            if (rest <= suffix && old < members.Count && oldDoc.Length - (members[old].NameStart - 1) == rest) return TryMatchRest(ref members, old, place);
            if (!DocumentMembers.TryParse(newDoc, ref at, out var member)) return false;
            var name = newDoc[member.NameStart..member.NameEnd];
            var index = members.Find(name, member.IsEscaped);
            if (index < 0)
            {
                if (added.Find(name, member.IsEscaped) >= 0) return false;
                added.Add(member);
            }
            else
            {
                // A name escaped in another way would not come back as it was.
                if (members[index].Mark != Removed || !members.Name(index).SequenceEqual(name)) return false;
                var same = members.Value(index).SequenceEqual(newDoc[member.ValueStart..member.ValueEnd]);
                members[index].Mark = (2 * place) + (same ? 0 : 1);
            }

            place++;
            if (!DocumentMembers.TryNext(newDoc, ref at)) break;
        }

        return at == newDoc.Length - 1;
    }

    private static bool TryMatchRest(ref DocumentMembers members, int old, int place)
    {
        for (; old < members.Count; old++, place++)
        {
            if (members[old].Mark != Removed) return false;
            members[old].Mark = 2 * place;
        }

        return true;
    }

    /// <summary>Whether overwriting in place and appending gives the old order: kept names in the new order, removed ones behind them.</summary>
    private static bool HasOrderOf(in DocumentMembers members)
    {
        var last = -1;
        var appending = false;
        for (var i = 0; i < members.Count; i++)
        {
            var mark = members[i].Mark;
            if (mark == Removed)
            {
                appending = true;
                continue;
            }

            if (appending || mark / 2 <= last) return false;
            last = mark / 2;
        }

        return true;
    }

    private static bool TryWrite(in DocumentMembers members, in DocumentMembers added, Span<byte> destination, out int written)
    {
        var patch = new PatchWriter(destination);
        patch.Raw("{"u8);
        var isFirst = true;
        for (var i = 0; i < members.Count; i++)
        {
            var mark = members[i].Mark;
            if (mark != Removed && (mark & 1) == 0) continue;
            if (mark == Removed && members.Name(i).SequenceEqual(Unassignable)) patch.Fail();
            patch.Raw(isFirst ? SetMember : ","u8);
            patch.Quoted(members.Name(i));
            patch.Raw(":"u8);
            patch.Raw(members.Value(i));
            isFirst = false;
        }

        if (!isFirst) patch.Raw("}"u8);
        for (var i = 0; i < added.Count; i++)
        {
            if (i > 0) patch.Raw(","u8);
            else patch.Raw(isFirst ? UnsetMember : ",\"$unset\":["u8);
            patch.Quoted(added.Name(i));
        }

        patch.Raw(added.Count > 0 ? "]}"u8 : "}"u8);
        written = patch.Length;
        return !patch.HasFailed;
    }

    private static int CommonSuffixLength(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, int most)
    {
        const int Block = 64;
        var length = 0;
        while (length + Block <= most && left[^(length + Block)..^length].SequenceEqual(right[^(length + Block)..^length])) length += Block;
        while (length < most && left[^(length + 1)] == right[^(length + 1)]) length++;
        return length;
    }

    private static bool TryApplyMinified(ReadOnlySpan<byte> newDoc, ReadOnlySpan<byte> patch, IBufferWriter<byte> oldDoc)
    {
        var document = new byte[newDoc.Length];
        var change = new byte[patch.Length];
        return TryApply(document.AsSpan(0, JsonLines.Minify(newDoc, document)), change.AsSpan(0, JsonLines.Minify(patch, change)), oldDoc);
    }

    /// <summary>Finds the two members of a patch; what is not there is empty.</summary>
    private static bool TryReadPatch(ReadOnlySpan<byte> patch, out ReadOnlySpan<byte> set, out ReadOnlySpan<byte> unset)
    {
        set = "{}"u8;
        unset = "[]"u8;
        var at = 1;
        if (patch.Length == 2) return true;
        do
        {
            if (!DocumentMembers.TryParse(patch, ref at, out var member)) return false;
            var name = patch[member.NameStart..member.NameEnd];
            if (JsonIn.NameIs(name, member.IsEscaped, "$set"u8)) set = patch[member.ValueStart..member.ValueEnd];
            else if (JsonIn.NameIs(name, member.IsEscaped, "$unset"u8)) unset = patch[member.ValueStart..member.ValueEnd];
        }
        while (DocumentMembers.TryNext(patch, ref at));

        return at == patch.Length - 1 && IsObject(set) && unset.Length >= 2 && unset[0] == '[' && unset[^1] == ']';
    }

    /// <summary>Reads all members of an object; of a name that occurs twice the last value counts, in the first one's place.</summary>
    private static bool TryReadLastWins(ReadOnlySpan<byte> text, ref DocumentMembers members)
    {
        var at = 1;
        if (text.Length == 2) return true;
        do
        {
            if (!DocumentMembers.TryParse(text, ref at, out var member)) return false;
            var index = members.Find(text[member.NameStart..member.NameEnd], member.IsEscaped);
            if (index < 0)
            {
                members.Add(member);
                continue;
            }

            members[index].ValueStart = member.ValueStart;
            members[index].ValueEnd = member.ValueEnd;
        }
        while (DocumentMembers.TryNext(text, ref at));

        return at == text.Length - 1;
    }

    /// <summary>Reads an array of names.</summary>
    private static bool TryReadNames(ReadOnlySpan<byte> text, ref DocumentMembers names)
    {
        var at = 1;
        if (text.Length == 2) return true;
        do
        {
            if (text[at] != '"') return false;
            var name = new DocumentMember { NameStart = at + 1, NameEnd = JsonScan.StringEnd(text, at + 1, out var escaped) };
            if (name.NameEnd < 0) return false;
            name.IsEscaped = escaped;
            at = name.NameEnd + 1;
            if (names.Find(text[name.NameStart..name.NameEnd], escaped) < 0) names.Add(name);
        }
        while (DocumentMembers.TryNext(text, ref at));

        return at == text.Length - 1;
    }

    private static void WriteOld(in DocumentMembers members, in DocumentMembers set, in DocumentMembers unset, IBufferWriter<byte> output)
    {
        var isFirst = true;
        output.Write("{"u8);
        for (var i = 0; i < members.Count; i++)
        {
            var index = set.Find(members.Name(i), members[i].IsEscaped);
            if (index >= 0) set[index].Mark = 1;
            if (unset.Find(members.Name(i), members[i].IsEscaped) >= 0) continue;
            WriteMember(output, members.Name(i), index >= 0 ? set.Value(index) : members.Value(i), ref isFirst);
        }

        for (var i = 0; i < set.Count; i++)
            if (set[i].Mark == 0 && unset.Find(set.Name(i), set[i].IsEscaped) < 0)
                WriteMember(output, set.Name(i), set.Value(i), ref isFirst);
        output.Write("}"u8);
    }

    private static void WriteMember(IBufferWriter<byte> output, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ref bool isFirst)
    {
        output.Write(isFirst ? "\""u8 : ",\""u8);
        output.Write(name);
        output.Write("\":"u8);
        output.Write(value);
        isFirst = false;
    }

    /// <summary>Appends until there is no more room, then only remembers that.</summary>
    private ref struct PatchWriter(Span<byte> destination)
    {
        private readonly Span<byte> _destination = destination;

        public int Length { get; private set; }

        public bool HasFailed { get; private set; }

        public void Raw(ReadOnlySpan<byte> bytes)
        {
            if (HasFailed || !bytes.TryCopyTo(_destination[Length..])) HasFailed = true;
            else Length += bytes.Length;
        }

        public void Quoted(ReadOnlySpan<byte> name)
        {
            Raw("\""u8);
            Raw(name);
            Raw("\""u8);
        }

        public void Fail() => HasFailed = true;
    }
}
