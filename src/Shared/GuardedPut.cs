namespace OpsLog.Storage;

/// <summary>What a storage's puts ask of its client library.</summary>
/// <param name="FailureOf">What an exception means; null: it is none of the storage's.</param>
/// <param name="IsRefused">The condition was checked by the server and did not hold.</param>
/// <param name="Look">One look at an object: null if it is absent.</param>
internal sealed record PutCalls(
    Func<Exception, CallFailure?> FailureOf, Func<Exception, PutConditionKind, bool> IsRefused, Func<string, CancellationToken, Task<ObjectBytes?>> Look);

/// <summary>
/// One put from its first attempt to its end. After an attempt without a clear answer, or one that was refused, the object is looked at: its marks tell whether
/// this put made it, before it is sent again or given up. A put without a condition is simply sent again.
/// </summary>
internal sealed class GuardedPut
{
    private readonly PutCalls _calls;
    private readonly RetrySettings _settings;
    private readonly StorageKey _key;
    private readonly PutCondition _condition;
    private readonly string _mark;
    private readonly (string EntityTag, PutMarks Marks)? _replaced;

    public GuardedPut(PutCalls calls, RetrySettings settings, StorageKey key, string name, PutCondition condition)
    {
        (_calls, _settings, _key, Name, _condition) = (calls, settings, key, name, condition);
        _mark = settings.NextNonce();
        _replaced = condition.Kind == PutConditionKind.IfVersion ? PutMarks.Of(condition.Version) : null;
        Marks = condition.Kind == PutConditionKind.Always ? PutMarks.Over(_mark) : (_replaced?.Marks ?? default).Add(_mark);
    }

    /// <summary>Checks what a put is called with; a result, if it needs no request: no object can have such a version.</summary>
    public static PutResult? Check(StorageKey key, Stream content, PutCondition condition, CancellationToken ct)
    {
        StorageGuard.RequireName(key);
        ArgumentNullException.ThrowIfNull(content);
        ct.ThrowIfCancellationRequested();
        return condition.Kind == PutConditionKind.IfVersion && PutMarks.Of(condition.Version) is null ? new PutResult(PutOutcome.Conflict, Detail: "No object has such a version.") : null;
    }

    public string Name { get; }

    /// <summary>The metadata to send along.</summary>
    public PutMarks Marks { get; }

    /// <summary>The entity tag the object must have; null: any.</summary>
    public string? EntityTag => _replaced?.EntityTag;

    public bool IfAbsent => _condition.Kind == PutConditionKind.IfAbsent;

    private string What => $"write '{_key}'";

    /// <summary>Sends it until its outcome is known or the budget is used up.</summary>
    /// <param name="send">One attempt; gives the new entity tag.</param>
    /// <param name="readsBackAlways">Also without a condition: it cannot be sent again once it has been carried out.</param>
    /// <param name="ct">Cancels it; the object is then wholly written or untouched.</param>
    /// <param name="sent">How many bytes of content an attempt sends.</param>
    public async ValueTask<PutResult> SendAsync(Func<CancellationToken, Task<string>> send, bool readsBackAlways, CancellationToken ct, long sent = 0)
    {
        var budget = new CallBudget(_settings);
        var isUnknown = false;
        while (true)
        {
            CallFailure failure;
            try
            {
                var tag = await _settings.OnceAsync(send, ct, sent).ConfigureAwait(false);
                return new PutResult(PutOutcome.Stored, Marks.ToVersion(tag));
            }
            catch (Exception e) when (_calls.IsRefused(e, _condition.Kind))
            {
                if (!isUnknown) return await RefusedAsync(ct).ConfigureAwait(false);
                failure = new CallFailure(StorageFault.Unavailable, "it is not known which of several attempts was carried out.");
            }
            catch (Exception e) when (_calls.FailureOf(e) is { } known)
            {
                failure = known;
                isUnknown |= known.IsOutcomeUnknown;
            }

            if (isUnknown && (readsBackAlways || _condition.Kind != PutConditionKind.Always) && await ReadBackAsync(ct).ConfigureAwait(false) is { } result) return result;
            if (!failure.IsTransient || !await budget.PauseAsync(ct).ConfigureAwait(false)) throw failure.ToException(What, isUnknown);
        }
    }

    // HTTP handlers and proxies send a request again, unseen, when a connection ends without an answer: the second is then refused because the first was carried out.
    private async ValueTask<PutResult> RefusedAsync(CancellationToken ct)
    {
        var there = await LookAsync(ct).ConfigureAwait(false);
        if (there is { } version && PutMarks.Of(version) is { } now && now.Marks.Tell(_mark, _replaced?.Marks) == true) return Stored(version, now.Marks);
        return new PutResult(PutOutcome.Conflict, Detail: IfAbsent ? "The object exists." : "The object has another version, or is gone.");
    }

    // Null: it has not happened (yet).
    private async ValueTask<PutResult?> ReadBackAsync(CancellationToken ct)
    {
        if (await LookAsync(ct).ConfigureAwait(false) is not { } version || PutMarks.Of(version) is not { } now) return IfAbsent || _condition.Kind == PutConditionKind.Always ? null : throw Unknown("it is gone");
        if (_replaced is { } old && string.Equals(old.EntityTag, now.EntityTag, StringComparison.Ordinal) && !now.Marks.EndsWith(_mark)) return null; // as it was
        return now.Marks.Tell(_mark, _replaced?.Marks) switch
        {
            true => Stored(version, now.Marks),
            false when _condition.Kind == PutConditionKind.Always => null,
            false => new PutResult(PutOutcome.Conflict, Detail: "Another writer was first."),
            null when _condition.Kind == PutConditionKind.Always => null,
            null => throw Unknown("others have replaced it many times since"),
        };
    }

    // The version of the object as it is; null: it is absent. If it cannot be looked at, the put's outcome stays unknown.
    private async ValueTask<StorageVersion?> LookAsync(CancellationToken ct)
    {
        try
        {
            return (await _settings.RunAsync(What, token => _calls.Look(Name, token), _calls.FailureOf, ct).ConfigureAwait(false))?.Version;
        }
        catch (StorageException e)
        {
            throw new StorageException(e.Fault, e.Message, e) { OutcomeUnknown = true };
        }
    }

    private PutResult Stored(StorageVersion version, PutMarks marks) => new(PutOutcome.Stored, marks.EndsWith(_mark) ? version : default);

    private StorageException Unknown(string why) =>
        new(StorageFault.Unavailable, $"'{_key}' was written to, but the answer was lost, and {why}. Read it before you go on.") { OutcomeUnknown = true };
}
