namespace OpsLog;

/// <summary>How far long work has got.</summary>
/// <param name="Stage">What is being done, in a word or two, such as <c>snapshot</c>.</param>
/// <param name="Done">Bytes done.</param>
/// <param name="Total">Bytes to do; 0 while unknown.</param>
public readonly record struct StoreProgress(string Stage, long Done, long Total);
