using System.Security.Cryptography;

namespace OpsLog.Storage;

/// <summary>
/// The pauses between the attempts of one call: random, up to 50 ms first and twice as long each time, 5 s at most, until the budget is used up. One attempt that
/// has used it up alone, for it was not answered, is followed by another.
/// </summary>
internal sealed class CallBudget(RetrySettings settings)
{
    private const int FirstPause = 50;
    private const int MostDoublings = 7;

    private readonly long _started = settings.Time.GetTimestamp();
    private int _attempts;

    /// <summary>Waits before the next attempt; false if there is to be none.</summary>
    public async ValueTask<bool> PauseAsync(CancellationToken ct)
    {
        var longest = Math.Min(FirstPause << Math.Min(_attempts++, MostDoublings), 5000);
        var pause = TimeSpan.FromMilliseconds((longest / 2) + settings.Next(longest / 2));
        var mayExceed = _attempts == 1 && settings.Budget > TimeSpan.Zero;
        if (!mayExceed && settings.Time.GetElapsedTime(_started) + pause > settings.Budget) return false;
        await Task.Delay(pause, settings.Time, ct).ConfigureAwait(false);
        return true;
    }
}

/// <summary>How requests are repeated.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Budget">For how long attempts are begun; the second in any case. Zero: one attempt only.</param>
/// <param name="AttemptTimeout">How long one attempt may take; one that sends content has a second more for each MiB.</param>
/// <param name="Random">Where chance comes from; null: the system.</param>
internal sealed record RetrySettings(TimeProvider Time, TimeSpan Budget, TimeSpan AttemptTimeout, Random? Random)
{
    private const long MostTimed = 86_400L << 20; // a day; an append at a length that no object has may claim to send any number

    public int Next(int below)
    {
        if (Random is null) return RandomNumberGenerator.GetInt32(below);
        lock (Random) return Random.Next(below);
    }

    /// <summary>Eight hexadecimal digits.</summary>
    public string NextNonce()
    {
        Span<byte> bytes = stackalloc byte[4];
        if (Random is null) RandomNumberGenerator.Fill(bytes);
        else lock (Random) Random.NextBytes(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>Does something that can be done twice, until it is done, refused, or the budget is used up.</summary>
    /// <param name="what">What it is, for the exception: "read 'x'".</param>
    /// <param name="attempt">One attempt.</param>
    /// <param name="failureOf">What an exception means; null: it is not the storage's.</param>
    /// <param name="ct">Cancels the call.</param>
    /// <param name="writes">Whether it changes something, so that its outcome may be unknown.</param>
    /// <param name="sent">How many bytes of content each attempt sends.</param>
    public async ValueTask<T> RunAsync<T>(
        string what, Func<CancellationToken, Task<T>> attempt, Func<Exception, CallFailure?> failureOf, CancellationToken ct, bool writes = false, long sent = 0)
    {
        var budget = new CallBudget(this);
        var isUnknown = false;
        while (true)
        {
            CallFailure failure;
            try
            {
                return await OnceAsync(attempt, ct, sent).ConfigureAwait(false);
            }
            catch (Exception e) when (failureOf(e) is { } known)
            {
                failure = known;
                isUnknown |= writes && failure.IsOutcomeUnknown;
            }

            if (!failure.IsTransient || !await budget.PauseAsync(ct).ConfigureAwait(false)) throw failure.ToException(what, isUnknown);
        }
    }

    /// <summary>One attempt, with its time limit.</summary>
    /// <param name="attempt">The attempt.</param>
    /// <param name="ct">Cancels it.</param>
    /// <param name="sent">How many bytes of content it sends.</param>
    public async Task<T> OnceAsync<T>(Func<CancellationToken, Task<T>> attempt, CancellationToken ct, long sent = 0)
    {
        ct.ThrowIfCancellationRequested();
        var time = TimeFor(sent);
        using var limit = new CancellationTokenSource(time, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            return await attempt(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"No answer within {time.TotalSeconds:0.#} s.", e);
        }
    }

    /// <summary>How long an attempt that sends so many bytes of content may take.</summary>
    public TimeSpan TimeFor(long sent) => AttemptTimeout + TimeSpan.FromSeconds(Math.Clamp(sent, 0, MostTimed) / (double)(1 << 20));
}
