namespace OpsLog.Cli.Apply;

/// <summary>Reads lines and has them applied in order: neighbours of one batch together, single operations side by side.</summary>
internal sealed class ApplyRun
{
    private readonly LineReader _lines;
    private readonly ApplyLineReader _reader;
    private readonly ApplyTarget _target;
    private readonly AckWriter _acknowledgements;
    private readonly ApplyWorkers? _workers;
    private readonly ApplyLine _line = new();
    private readonly List<ApplyOperation> _group = [];
    private readonly int _refreshEvery;
    private Action? _stopReading;
    private byte[] _groupKey = [];
    private long _refreshedBehind;

    /// <param name="lines">The input.</param>
    /// <param name="batchBy">The member by which neighbours form batches.</param>
    /// <param name="target">What does the work.</param>
    /// <param name="acknowledgements">Where acknowledged lines are told.</param>
    /// <param name="concurrency">How many callers at once.</param>
    /// <param name="refreshEvery">After how many lines others' writes are taken in; 0: never.</param>
    public ApplyRun(LineReader lines, string? batchBy, ApplyTarget target, AckWriter acknowledgements, int concurrency, int refreshEvery)
    {
        _refreshEvery = refreshEvery;
        _lines = lines;
        _reader = new ApplyLineReader(batchBy);
        _target = target;
        _acknowledgements = acknowledgements;
        _workers = concurrency > 1 ? new ApplyWorkers(target, acknowledgements, concurrency, () => _stopReading?.Invoke()) : null;
    }

    /// <summary>Applies everything. Whatever ends it, what was read before is applied and acknowledged.</summary>
    /// <exception cref="InputLineException">A line is malformed, or the store refused it or failed.</exception>
    /// <exception cref="IOException">The input cannot be read, or the acknowledgements cannot be printed.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _stopReading = reading.Cancel; // the callers end before it does
        try
        {
            await ReadAllAsync(reading.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is InputLineException { InnerException: null } or OperationCanceledException)
        {
            // The input ends here, not the store: lines before a malformed one stand. (A group that a stop cuts short does not:
            // its lines were not acknowledged, and the whole batch may be sent again.)
            if (exception is InputLineException) await EndGroupAsync().ConfigureAwait(false);
            await FinishAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            if (_workers is not null) await _workers.CompleteAsync().ConfigureAwait(false);
            _acknowledgements.Flush();
        }
    }

    private async Task ReadAllAsync(CancellationToken cancellationToken)
    {
        var number = 0L;
        do
        {
            while (_lines.TryRead(out var bytes))
            {
                number++;
                if (ApplyLineReader.IsBlank(bytes.Span)) continue;
                cancellationToken.ThrowIfCancellationRequested();
                _line.Reset(number);
                _reader.Read(bytes, _line);
                await ApplyLineAsync().ConfigureAwait(false);
            }

            _acknowledgements.Flush();
        }
        while (await _lines.FillAsync(cancellationToken).ConfigureAwait(false));

        await EndGroupAsync().ConfigureAwait(false);
        await FinishAsync().ConfigureAwait(false);
    }

    private async ValueTask ApplyLineAsync()
    {
        if (_line.IsSingle && !_line.BatchKey.IsEmpty)
        {
            if (_group.Count > 0 && !_line.BatchKey.Span.SequenceEqual(_groupKey)) await EndGroupAsync().ConfigureAwait(false);
            if (_group.Count == 0)
            {
                await RefreshIfDueAsync().ConfigureAwait(false);
                _groupKey = _line.BatchKey.ToArray();
            }

            _group.Add(_line.Operation);
            return;
        }

        await EndGroupAsync().ConfigureAwait(false);
        await RefreshIfDueAsync().ConfigureAwait(false);
        if (_line.IsSingle)
        {
            if (_workers is null) await _target.ApplyAsync(_line.Operation).ConfigureAwait(false);
            else await _workers.EnqueueAsync(_line.Operation).ConfigureAwait(false);
            return;
        }

        await DrainAsync().ConfigureAwait(false);
        await _target.ApplyAloneAsync(_line).ConfigureAwait(false);
    }

    /// <summary>Refreshes if enough lines were read since the last time; called where the operation of the line just read is not begun.</summary>
    private async ValueTask RefreshIfDueAsync()
    {
        var behind = _line.Number - 1;
        if (_refreshEvery == 0 || behind - _refreshedBehind < _refreshEvery) return;
        await DrainAsync().ConfigureAwait(false);
        await _target.RefreshAsync().ConfigureAwait(false);
        _refreshedBehind = behind;
    }

    private async ValueTask EndGroupAsync()
    {
        if (_group.Count == 0) return;
        await DrainAsync().ConfigureAwait(false);
        await _target.ApplyGroupAsync(_group).ConfigureAwait(false);
        _group.Clear();
    }

    /// <summary>All done, and out of this process: a buffered store acknowledges before that.</summary>
    private async ValueTask FinishAsync()
    {
        await DrainAsync().ConfigureAwait(false);
        _acknowledgements.Flush();
        await _target.FlushAsync().ConfigureAwait(false);
    }

    private ValueTask DrainAsync() => _workers?.DrainAsync() ?? ValueTask.CompletedTask;
}
