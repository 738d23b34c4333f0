using Amazon.S3;
using OpsLog.Storage;

namespace OpsLog.S3;

/// <summary>
/// One put from its first attempt to its end. After an attempt without a clear answer the object is read back: its marks tell whether this put made it,
/// before it is sent again or given up. A put without a condition is simply sent again.
/// </summary>
internal sealed class S3Put
{
    private readonly S3Requests _requests;
    private readonly RetrySettings _settings;
    private readonly StorageKey _key;
    private readonly PutCondition _condition;
    private readonly string _mark;
    private readonly (string EntityTag, PutMarks Marks)? _replaced;

    public S3Put(S3Requests requests, RetrySettings settings, StorageKey key, string name, PutCondition condition, EntityTagForm form)
    {
        (_requests, _settings, _key, Name, _condition) = (requests, settings, key, name, condition);
        _mark = settings.NextNonce();
        _replaced = condition.Kind == PutConditionKind.IfVersion ? PutMarks.Of(condition.Version) : null;
        Marks = condition.Kind == PutConditionKind.Always ? PutMarks.Over(_mark) : (_replaced?.Marks ?? default).Add(_mark);
        if (_replaced is { } old) IfMatch = form == EntityTagForm.Quoted ? $"\"{old.EntityTag}\"" : old.EntityTag;
    }

    public string Name { get; }

    public PutMarks Marks { get; }

    public string? IfMatch { get; }

    public bool IfAbsent => _condition.Kind == PutConditionKind.IfAbsent;

    private string What => $"write '{_key}'";

    /// <summary>Sends it until its outcome is known or the budget is used up.</summary>
    /// <param name="send">One attempt; gives the new entity tag.</param>
    /// <param name="isUpload">It completes an upload: a second attempt finds no upload if the first one succeeded.</param>
    /// <param name="ct">Cancels it; the object is then wholly written or untouched.</param>
    public async ValueTask<PutResult> SendAsync(Func<CancellationToken, Task<string>> send, bool isUpload, CancellationToken ct)
    {
        var budget = new CallBudget(_settings);
        var isUnknown = false;
        while (true)
        {
            CallFailure failure;
            try
            {
                var tag = await _settings.OnceAsync(send, ct).ConfigureAwait(false);
                return new PutResult(PutOutcome.Stored, Marks.ToVersion(tag));
            }
            catch (AmazonS3Exception e) when (IsRefused(e))
            {
                if (!isUnknown) return new PutResult(PutOutcome.Conflict, Detail: IfAbsent ? "The object exists." : "The object has another version, or is gone.");
                failure = new CallFailure(StorageFault.Unavailable, "it is not known which of several attempts was carried out.");
            }
            catch (Exception e) when (!ct.IsCancellationRequested && S3Faults.Of(e) is { } known)
            {
                failure = known;
                isUnknown |= known.IsOutcomeUnknown;
            }

            if (isUnknown && (isUpload || _condition.Kind != PutConditionKind.Always) && await ReadBackAsync(ct).ConfigureAwait(false) is { } result) return result;
            if (!failure.IsTransient || !await budget.PauseAsync(ct).ConfigureAwait(false)) throw failure.ToException(What, isUnknown);
        }
    }

    private bool IsRefused(AmazonS3Exception e) =>
        S3Faults.IsRefused(e) || (_condition.Kind == PutConditionKind.IfVersion && S3Faults.IsAbsent(e) && !S3Faults.IsUploadGone(e));

    // Null: it has not happened (yet).
    private async ValueTask<PutResult?> ReadBackAsync(CancellationToken ct)
    {
        ObjectBytes? found;
        try
        {
            found = await _settings.RunAsync(What, token => _requests.HeadAsync(Name, token), S3Faults.Of, ct).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new StorageException(e.Fault, e.Message, e) { OutcomeUnknown = true };
        }

        if (found is not { } there || PutMarks.Of(there.Version) is not { } now) return IfAbsent || _condition.Kind == PutConditionKind.Always ? null : throw Unknown("it is gone");
        if (_replaced is { } old && string.Equals(old.EntityTag, now.EntityTag, StringComparison.Ordinal) && !now.Marks.EndsWith(_mark)) return null; // as it was
        return now.Marks.Tell(_mark, _replaced?.Marks) switch
        {
            true => new PutResult(PutOutcome.Stored, now.Marks.EndsWith(_mark) ? there.Version : default),
            false when _condition.Kind == PutConditionKind.Always => null,
            false => new PutResult(PutOutcome.Conflict, Detail: "Another writer was first."),
            null when _condition.Kind == PutConditionKind.Always => null,
            null => throw Unknown("others have replaced it many times since"),
        };
    }

    private StorageException Unknown(string why) =>
        new(StorageFault.Unavailable, $"'{_key}' was written to, but the answer was lost, and {why}. Read it before you go on.") { OutcomeUnknown = true };
}
