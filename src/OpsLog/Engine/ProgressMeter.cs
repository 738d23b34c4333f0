namespace OpsLog.Engine;

/// <summary>Tells how far work has got, stage by stage. Not for concurrent use.</summary>
internal sealed class ProgressMeter(IProgress<StoreProgress>? progress)
{
    private string _stage = "";
    private long _done;
    private long _total;

    /// <summary>Begins a stage.</summary>
    /// <param name="stage">Its name.</param>
    /// <param name="total">The bytes to do; 0: not known.</param>
    public void Begin(string stage, long total)
    {
        (_stage, _done, _total) = (stage, 0, total);
        Tell();
    }

    public void Add(long bytes)
    {
        _done += bytes;
        Tell();
    }

    /// <summary>Ends the stage: what was done is all there was.</summary>
    public void End()
    {
        _total = _done;
        Tell();
    }

    private void Tell() => progress?.Report(new StoreProgress(_stage, _done, _total));
}
