namespace OpsLog;

/// <summary>
/// Which write a record's value comes from: the stamp (clock, agent, log) of its operation (docs/format.md, Stamps). Equal revisions
/// mean equal bytes. <see cref="None"/> stands for "no such record" where a revision is expected.
/// </summary>
/// <param name="Clock">The operation's Lamport clock.</param>
/// <param name="Agent">The agent that wrote it; empty with a single writer.</param>
/// <param name="Log">The name of the agent's log that it was written to; empty with a single writer, whose operations move from log to log.</param>
public readonly record struct Revision(long Clock, string Agent, string Log)
{
    /// <summary>No record: expecting it makes a write succeed only if the id is absent.</summary>
    public static Revision None => default;

    /// <summary>The revision as <c>clock@agent/log</c>.</summary>
    public override string ToString() => Clock == 0 && Log is null ? "none" : $"{Clock}@{Agent}/{Log}";
}
