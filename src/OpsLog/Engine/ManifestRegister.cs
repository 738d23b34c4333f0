using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// The manifest as a register that changes only by compare-and-swap: refresh, change, put, on conflict again. The one shared object of a store.
/// </summary>
/// <param name="storage">Where it lies.</param>
/// <param name="settings">For swaps; null: it is only read.</param>
internal sealed class ManifestRegister(IOpsStorage storage, EngineSettings? settings = null)
{
    /// <summary>What is said of a store whose logs have the other form: nothing of it is damaged, and nothing is to be salvaged from it here.</summary>
    public const string OtherForm =
        "its logs are numbered objects, as storages write them that do not append, but this one appends: copy the store from where it was written, with 'opslog copy', not object by object";

    private const int MostTries = 100;
    private const int AtOnce = 4;
    private const int LongestPause = 128;
    private const int MostSeals = 256; // the package's lines are longer, and begin with something else
    private static readonly TimeSpan s_heldPatience = TimeSpan.FromMinutes(1);
    private readonly SemaphoreSlim _gate = new(1, 1);
    private StorageVersion _version; // of Current
    private StorageVersion _seen;    // of what was read last

    /// <summary>The manifest as it was last read or written here.</summary>
    public Manifest Current { get; private set; } = null!;

    /// <summary>Reads what is there; null if there is no manifest. Whether the package wrote since is told by its log, too.</summary>
    /// <exception cref="OpsLogException">It is damaged or too new, or of a store whose logs this storage cannot hold.</exception>
    public async ValueTask<ManifestReadResult?> ReadAsync(CancellationToken ct)
    {
        var read = await ReadManifestAsync(ct).ConfigureAwait(false);
        return read is { Verdict: ManifestVerdict.Ours } && await HasPackageLinesAsync(read.Manifest!, ct).ConfigureAwait(false) ? read with { Verdict = ManifestVerdict.PeerWroteSince } : read;
    }

    private async ValueTask<ManifestReadResult?> ReadManifestAsync(CancellationToken ct)
    {
        var found = await ObjectReader.ReadAllAsync(storage, StoreKeys.Manifest, ct).ConfigureAwait(false);
        if (found is not { } manifest) return null;
        var result = ManifestCodec.Read(manifest.Bytes);
        if (result.Verdict == ManifestVerdict.Corrupt)
            throw LogScanner.Refused(new Damage(DamageKind.CorruptObject, StoreKeys.Manifest.Value, result.FaultLine, result.FaultOffset, manifest.Bytes.Length, result.Fault));
        if (result.Verdict == ManifestVerdict.TooNew)
            throw new OpsLogException(OpsLogError.TooNew, $"The store was written by a newer version of OpsLog: {result.Fault}. Update the program.");
        if (result.Manifest is { Numbered: true } && (storage.Capabilities & StorageCapabilities.Append) != 0) // its pieces would be passed over
        {
            var damage = new Damage(DamageKind.CorruptObject, StoreKeys.Manifest.Value, 0, 0, manifest.Bytes.Length, OtherForm);
            throw new OpsLogException(OpsLogError.Damaged, $"The store cannot be read here: {damage}.") { Damage = damage };
        }

        _seen = manifest.Version;
        return result with { Bytes = manifest.Bytes };
    }

    // Where all logs are agents', activeOps names an empty one that is nobody's of ours: what lies in it the package wrote, and no manifest tells. Newlines alone
    // are seals on the log of a single writer that gave up its opening.
    private async ValueTask<bool> HasPackageLinesAsync(Manifest manifest, CancellationToken ct)
    {
        var name = manifest.Package.ActiveOps;
        if ((storage.Capabilities & StorageCapabilities.Append) == 0 || !StorageKey.IsValid(name) || manifest.Logs.Any(l => string.Equals(l.Name, name, StringComparison.Ordinal))) return false;
        var found = await storage.ReadAsync(new StorageKey(name), new ByteRange(0, MostSeals), ct).ConfigureAwait(false);
        if (found is null) return false;
        await using (found.ConfigureAwait(false)) return (await found.ReadToEndAsync(ct).ConfigureAwait(false)).Span.ContainsAnyExcept((byte)'\n');
    }

    /// <summary>Takes a manifest as the base of the next swap: the one just read, in our form.</summary>
    public void Adopt(Manifest manifest) => (Current, _version) = (manifest, _seen);

    /// <summary>Takes over what another register has read.</summary>
    public void AdoptFrom(ManifestRegister other) => (Current, _version, _seen) = (other.Current, other._version, other._seen);

    /// <summary>How often somebody else was first.</summary>
    public long Conflicts { get; private set; }

    /// <summary>A version that only the manifest ever has.</summary>
    public StorageVersion Version => _version;

    /// <summary>Reads the manifest if it is another than the one that was read last.</summary>
    /// <exception cref="OpsLogException">It is gone, or no longer ours.</exception>
    public async ValueTask RefreshAsync(CancellationToken ct)
    {
        if (await IsCurrentAsync(ct).ConfigureAwait(false)) return;
        await _gate.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            await ReadOursAsync(ct).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Whether the stored manifest is still the one that was read.</summary>
    public async ValueTask<bool> IsCurrentAsync(CancellationToken ct)
    {
        var stat = await ObjectReader.StatAsync(storage, StoreKeys.Manifest, ct).ConfigureAwait(false);
        return stat is { } now && now.Version == _seen;
    }

    /// <summary>Writes the first manifest; false if somebody else was first.</summary>
    public async ValueTask<bool> TryCreateAsync(Manifest manifest, CancellationToken ct)
    {
        var bytes = ManifestCodec.Write(manifest);
        var result = await PutAsync(bytes, PutCondition.IfAbsent, readBackByCaller: false, ct).ConfigureAwait(false);
        if (!result.IsStored) return false;
        (Current, _version, _seen) = (manifest, result.Version, result.Version);
        return true;
    }

    /// <summary>Swaps the manifest. The change is made again if somebody else swapped meanwhile, at longer and longer intervals.</summary>
    /// <param name="change">Makes the next manifest of the current one; its revision is set here. Throws if the change no longer makes sense.</param>
    /// <param name="ct">Cancels before the swap.</param>
    /// <param name="isDone">
    /// Tells by what was to be changed whether a manifest has the change: an answer may be lost, and others may have swapped since. Null: only the very manifest that was to be written has.
    /// </param>
    /// <exception cref="OpsLogException">
    /// Others keep swapping (<see cref="OpsLogError.Conflict"/>), one of them has been in the middle of a swap for a minute (<see cref="OpsLogError.Locked"/>), or what <paramref name="change"/> throws.
    /// </exception>
    public async ValueTask<Manifest> UpdateAsync(Func<Manifest, Manifest> change, CancellationToken ct, Func<Manifest, bool>? isDone = null) =>
        (await TryUpdateAsync(change, ct, isDone).ConfigureAwait(false))!;

    /// <summary>The same for a change that may no longer make sense once others have swapped: it returns null then.</summary>
    /// <param name="change">As there.</param>
    /// <param name="ct">As there.</param>
    /// <param name="isDone">As there.</param>
    /// <param name="isAlone">Nobody else may swap: if somebody did, null is returned at once.</param>
    /// <inheritdoc cref="UpdateAsync"/>
    public async ValueTask<Manifest?> TryUpdateAsync(Func<Manifest, Manifest?> change, CancellationToken ct, Func<Manifest, bool>? isDone = null, bool isAlone = false)
    {
        await _gate.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            long? heldSince = null;
            for (var tries = 0; tries < MostTries; tries++)
            {
                if (tries >= AtOnce || heldSince is not null)
                {
                    await PauseAsync(tries, ct).ConfigureAwait(false);
                    if (!isAlone)
                    {
                        // What was read before the pause is old by now: the longer the pause, the surer it would lose again.
                        await ReadOursAsync(ct).ConfigureAwait(false);
                        if (isDone?.Invoke(Current) == true) return Current;
                    }
                }

                if (change(Current) is not { } changed) return null;
                var next = changed with { Revision = Current.Revision + 1, Nonce = settings!.Nonces.Next() };
                var bytes = ManifestCodec.Write(next);
                var result = await PutAsync(bytes, PutCondition.IfVersion(_version), isDone is not null, ct).ConfigureAwait(false);
                if (result.IsStored)
                {
                    (Current, _version, _seen) = (next, result.Version, result.Version);
                    return next;
                }

                if (result.Outcome == PutOutcome.Held)
                {
                    // Nobody was first: another is in the middle of its own swap, and may have been stopped there.
                    heldSince ??= settings.Time.GetTimestamp();
                    if (settings.Time.GetElapsedTime(heldSince.Value) >= s_heldPatience) throw Held(result.Detail);
                    tries--;
                    continue;
                }

                heldSince = null;
                if (isAlone)
                {
                    await ReadManifestAsync(ct).ConfigureAwait(false);
                    if (_seen != _version) return null;
                    continue; // refused for no reason
                }

                await ReadOursAsync(ct).ConfigureAwait(false);
                if (isDone?.Invoke(Current) == true) return Current;
                Conflicts++;
                settings.Telemetry.Conflicted();
            }

            throw new OpsLogException(OpsLogError.Conflict, $"The manifest was changed by others {MostTries} times in a row. Try again.");
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask ReadOursAsync(CancellationToken ct)
    {
        var now = await ReadManifestAsync(ct).ConfigureAwait(false);
        if (now?.Verdict == ManifestVerdict.Ours && string.Equals(now.Manifest!.Incarnation, Current.Incarnation, StringComparison.Ordinal))
        {
            Adopt(now.Manifest);
            return;
        }

        _seen = default; // to be told again
        throw new OpsLogException(OpsLogError.Fenced, "The manifest was removed, or replaced (by the npm package, a restore or a repair), while the store was open. Reopen the store.");
    }

    private Task PauseAsync(int tries, CancellationToken ct)
    {
        var longest = Math.Min(LongestPause, 1 << Math.Clamp(tries - AtOnce + 1, 0, 10));
        return Task.Delay(TimeSpan.FromMilliseconds(1 + (long)(settings!.Nonces.NextSeed() % (ulong)longest)), settings.Time, ct);
    }

    private static OpsLogException Held(string? holder) => new(
        OpsLogError.Locked,
        $"Another process has been changing the store's manifest for {s_heldPatience.TotalSeconds:0} seconds; it may have been stopped. {holder} Let it go on, or end it, and try again: nothing was written.",
        new StorageException(StorageFault.Unavailable, $"The manifest is held. {holder}"));

    // Once it is sent it is brought to its end: cancelled in the middle it might have happened, and its own writer would take it for another's.
    // An answer that was lost is read back: by what was written, for a manifest is never written twice, or by the caller's test of what it was to change.
    private async ValueTask<PutResult> PutAsync(byte[] bytes, PutCondition condition, bool readBackByCaller, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        try
        {
            var result = await storage.PutAsync(StoreKeys.Manifest, new ReadOnlyMemoryStream(bytes), condition, CancellationToken.None).ConfigureAwait(false);
            if (result.Outcome != PutOutcome.Conflict || await ReadBackAsync(bytes).ConfigureAwait(false) is not { } version) return result;
            return new PutResult(PutOutcome.Stored, version); // the conflict was with a try of its own whose answer was lost
        }
        catch (StorageException e) when (e.OutcomeUnknown && e.Fault != StorageFault.Broken)
        {
            if (await TryReadBackAsync(bytes).ConfigureAwait(false) is { } version) return new PutResult(PutOutcome.Stored, version);
            if (!readBackByCaller) throw;
            return new PutResult(PutOutcome.Conflict);
        }
    }

    // What cannot be read back stays unknown.
    private async ValueTask<StorageVersion?> TryReadBackAsync(byte[] bytes)
    {
        try
        {
            return await ReadBackAsync(bytes).ConfigureAwait(false);
        }
        catch (StorageException)
        {
            return null;
        }
    }

    private async ValueTask<StorageVersion?> ReadBackAsync(byte[] bytes)
    {
        var found = await ObjectReader.ReadAllAsync(storage, StoreKeys.Manifest, CancellationToken.None).ConfigureAwait(false);
        return found is { } manifest && manifest.Bytes.AsSpan().SequenceEqual(bytes) ? manifest.Version : null;
    }
}
