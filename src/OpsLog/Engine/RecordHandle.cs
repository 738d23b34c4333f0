using System.Diagnostics.CodeAnalysis;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// A record's place in the table as it was found. It stays usable for ever: when the table has moved on, it reads what the record was
/// then. The default value is no record; nothing but a comparison may be done with it.
/// </summary>
internal readonly struct RecordHandle : IEquatable<RecordHandle>
{
    internal RecordHandle(RecordSegment segment, int index)
    {
        Segment = segment;
        Index = index;
    }

    /// <summary>The id as WTF-8, without a copy.</summary>
    public ReadOnlySpan<byte> Id => Segment.IdAt(Index);

    internal RecordSegment Segment { get; }

    internal int Index { get; }

    public static bool operator ==(RecordHandle left, RecordHandle right) => left.Equals(right);

    public static bool operator !=(RecordHandle left, RecordHandle right) => !left.Equals(right);

    /// <summary>The id as a string, made anew by each call.</summary>
    public string IdText() => JsonText.ToString(Id);

    public bool Equals(RecordHandle other) => ReferenceEquals(Segment, other.Segment) && Index == other.Index;

    public override bool Equals([NotNullWhen(true)] object? obj) => obj is RecordHandle other && Equals(other);

    public override int GetHashCode() => Index;
}
