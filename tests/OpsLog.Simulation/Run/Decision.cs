using OpsLog.Storage;

namespace OpsLog.Simulation.Run;

/// <summary>What happens next. A schedule is a list of these; a decision that makes no sense where it stands is passed over.</summary>
internal enum DecisionKind : byte
{
    /// <summary>
    /// A process goes on: its storage call happens and is answered, or it begins its next step. It begins if it can, unless the argument says that a call which runs
    /// beside goes first.
    /// </summary>
    Go,

    /// <summary>The call fails; nothing has happened.</summary>
    Fail,

    /// <summary>Somebody else is in the middle of replacing the object (in a folder); nothing has happened.</summary>
    Hold,

    /// <summary>The call happens; its answer is lost.</summary>
    LoseAnswer,

    /// <summary>The call goes unanswered; it may happen later.</summary>
    Delay,

    /// <summary>A beginning of an append happens; its caller gets a failure.</summary>
    Tear,

    /// <summary>The medium fails: nothing, a beginning, or all of it has happened.</summary>
    Break,

    /// <summary>The process dies; its call does not happen.</summary>
    Crash,

    /// <summary>The process dies behind its call.</summary>
    CrashAfter,

    /// <summary>The process dies; of its append a beginning has happened.</summary>
    CrashTorn,

    /// <summary>The process dies; its call may happen later.</summary>
    CrashDelayed,

    /// <summary>A call that was delayed happens.</summary>
    Land,

    /// <summary>The time goes on to a process's next timer.</summary>
    Fire,

    /// <summary>The time goes on by so many seconds.</summary>
    Wait,

    /// <summary>Power loss: everybody dies, and what was not synced is lost from some byte on.</summary>
    PowerLoss,

    /// <summary>Of several storage calls of a process, another one is the next.</summary>
    Turn,

    /// <summary>The call happens; its answer is still to come.</summary>
    Reach,
}

/// <param name="Kind">What happens.</param>
/// <param name="Process">To which process.</param>
/// <param name="Argument">How: see the kinds.</param>
internal readonly record struct Decision(DecisionKind Kind, int Process = 0, int Argument = 0)
{
    public bool IsFault => Kind is not (DecisionKind.Go or DecisionKind.Fire or DecisionKind.Wait or DecisionKind.Land or DecisionKind.Turn or DecisionKind.Reach);

    public StorageFault Fault => (Argument % 4) switch { 0 => StorageFault.Unavailable, 1 => StorageFault.Throttled, 2 => StorageFault.Full, _ => StorageFault.Denied };

    public override string ToString() => $"{Kind}({Process}{(Argument != 0 ? $",{Argument}" : "")})";
}
