namespace OpsLog.Storage;

/// <summary>
/// The puts that made an object what it is, newest last: each put has a random mark, and a put on a condition carries on the marks of what it
/// replaces. Stored with the object as metadata, so that after a lost answer one's own put is told from another's, also when others have
/// replaced it since. Text: marks joined by dots; a leading plus if older ones were left out.
/// </summary>
internal readonly record struct PutMarks(string Text)
{
    /// <summary>The metadata's name.</summary>
    public const string Name = "opslogputs";

    private const int Most = 16;

    private IEnumerable<string> All => (Text ?? "").TrimStart('+').Split('.', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Whether the first put of all is among them.</summary>
    private bool IsWhole => !string.IsNullOrEmpty(Text) && Text[0] != '+';

    /// <summary>Whether the newest put is that one.</summary>
    public bool EndsWith(string mark) => (Text ?? "").EndsWith(mark, StringComparison.Ordinal);

    /// <summary>The marks of a put that replaces whatever is there.</summary>
    public static PutMarks Over(string mark) => new("+" + mark);

    /// <summary>The marks of a put that replaces what has these.</summary>
    public PutMarks Add(string mark)
    {
        var kept = All.TakeLast(Most - 1).ToList();
        var isWhole = string.IsNullOrEmpty(Text) || (IsWhole && kept.Count == All.Count());
        return new PutMarks((isWhole ? "" : "+") + string.Join('.', kept.Append(mark)));
    }

    /// <summary>
    /// What the marks found say of a put whose answer was lost. True: it happened. False: it did not, and can no longer, for another met its
    /// condition. Null: they don't say.
    /// </summary>
    /// <param name="mark">The put's own.</param>
    /// <param name="replaced">The marks of what it was to replace; null: it was to create.</param>
    public bool? Tell(string mark, PutMarks? replaced)
    {
        if (All.Contains(mark, StringComparer.Ordinal)) return true;
        if (replaced is not { } old) return IsWhole || string.IsNullOrEmpty(Text) ? false : null;
        return old.All.LastOrDefault() is { } last && All.Contains(last, StringComparer.Ordinal) ? false : null;
    }

    /// <summary>The version of an object: its entity tag and marks.</summary>
    public StorageVersion ToVersion(string entityTag) => new($"{entityTag}:{Text}");

    /// <summary>The entity tag and marks of a version; null if it is of no storage like this.</summary>
    public static (string EntityTag, PutMarks Marks)? Of(StorageVersion version)
    {
        var colon = (version.Tag ?? "").LastIndexOf(':');
        return colon <= 0 ? null : (version.Tag![..colon], new PutMarks(version.Tag[(colon + 1)..]));
    }
}
