namespace OpsLog.Engine;

/// <summary>How much may be written as one. Only tests need other limits than the default.</summary>
/// <param name="Memory">The most that lies in memory in one: the open group, and what a reader looks at. What is longer could be written, but never be read.</param>
/// <param name="Group">A group of so many bytes takes no more requests: whatever the next one writes, up to <see cref="Unit"/>, has room behind it.</param>
internal sealed record WriteLimits(int Memory, int Group)
{
    public static WriteLimits Default { get; } = new(ObjectReader.Most, 64 << 20);

    /// <summary>The most that one line, or one batch, may have.</summary>
    public int Unit => Memory - Group;

    public OpsLogException Exceeded() =>
        new(OpsLogError.InvalidDocument, $"A write has at most {Unit} bytes, with the values it replaces, and this one has more. Nothing was written; divide it into smaller batches.");
}
