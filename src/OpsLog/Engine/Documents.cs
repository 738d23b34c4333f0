using System.Runtime.CompilerServices;

namespace OpsLog.Engine;

/// <summary>Documents as the index keeps them: the object itself, a boxed value, or a mark for JSON null.</summary>
internal static class Documents
{
    private static readonly object s_null = new();

    public static object Wrap<T>(T? document) => document is null ? s_null : document;

    /// <summary>The document that was wrapped. An index belongs to one store and so to one type: of classes the cast, which every read would pay for, is left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? Unwrap<T>(object made)
    {
        if (ReferenceEquals(made, s_null)) return default;
        return typeof(T).IsValueType ? (T)made : Unsafe.As<object, T>(ref made);
    }

    /// <summary>The document of an entry that an enumerator met; kept in the index for the next reader.</summary>
    /// <param name="state">The state.</param>
    /// <param name="extents">The extents when the enumeration began: where one has its number still, that is the one the entry lies in.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="codec">How documents are read.</param>
    /// <param name="document">The document.</param>
    /// <returns>False if the record was deleted since the enumeration began.</returns>
    public static bool TryMaterialise<T>(StoreState state, Extent?[] extents, in RecordEntry entry, DocumentCodec<T> codec, out T? document)
    {
        var (handle, location, made) = (entry.Handle, entry.Location, entry.Value);
        var missed = default(RecordLocation);
        while (made is null)
        {
            var id = handle.IdText();
            var extent = state.ExtentOf(location, ref missed);
            // Else the number may be another extent's by now, unless the record lies there still.
            var isKnown = extent is not null && location.Extent < extents.Length && ReferenceEquals(extent, extents[location.Extent]);
            if (isKnown || (extent is not null && state.Records.TryGet(id, out var again, out _, out _) && again == location))
            {
                var record = StoredRecord.Parse(extent!, extent!.LineFrom(location.Offset));
                made = state.TryCache(handle, location, Wrap(codec.Decode(id, record.Document)));
                GC.KeepAlive(extent);
            }
            else if (!state.Records.TryGet(id, out location, out made, out handle) || location.IsTombstone)
            {
                document = default;
                return false;
            }
        }

        document = Unwrap<T>(made);
        return true;
    }
}

/// <summary>What an id may be (docs/format.md, Ids).</summary>
internal static class Ids
{
    /// <summary>The longest id, in UTF-8 bytes.</summary>
    public const int MaxBytes = 16_000_000;

    /// <exception cref="ArgumentException">The id is empty, too long, or has a lone surrogate.</exception>
    public static void Check(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        if (id.Length == 0) throw new ArgumentException("An id must not be empty.", nameof(id));
        if (Format.JsonText.HasLoneSurrogate(id)) throw new ArgumentException("An id must not have a lone surrogate: it is no valid Unicode text.", nameof(id));
        if (id.Length > MaxBytes / 3 && System.Text.Encoding.UTF8.GetByteCount(id) > MaxBytes)
            throw new ArgumentException($"An id must not be longer than {MaxBytes} bytes of UTF-8.", nameof(id));
    }
}

/// <summary>What an agent id may be (docs/format.md, Agents).</summary>
internal static class AgentIds
{
    /// <summary>The longest agent id, in UTF-16 code units: every line carries it.</summary>
    public const int MaxLength = 1000;

    /// <exception cref="ArgumentException">The agent id is empty, too long, or has a lone surrogate.</exception>
    public static void Check(string agent, string option)
    {
        if (agent.Length is 0 or > MaxLength || Format.JsonText.HasLoneSurrogate(agent))
            throw new ArgumentException($"An agent id has 1 to {MaxLength} characters of valid text.", option);
    }
}
