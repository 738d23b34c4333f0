namespace OpsLog.Engine;

/// <summary>
/// The extents by their number in a <see cref="RecordLocation"/>. The array is replaced, never changed, so a view that holds an older
/// array keeps its extents alive; bytes go when nobody refers to them any more.
/// </summary>
internal sealed class ExtentTable
{
    private const int Limit = 1 << 14;
    private const long SmallMemory = 64 << 20;
    private Extent?[] _extents = new Extent?[4];
    private long _added;
    private int _next = 1; // 0 would make a location that means "none"

    public Extent?[] Current => Volatile.Read(ref _extents);

    public int Count => Current.Count(e => e is not null);

    public long Bytes
    {
        get
        {
            long sum = 0;
            foreach (var extent in Current) sum += extent?.Bytes ?? 0;
            return sum;
        }
    }

    /// <summary>Whether more than twice of what is needed is held, or more extents than are of use: what no record lies in any more has gathered.</summary>
    /// <param name="needed">How many bytes are.</param>
    /// <param name="most">How many extents are of use.</param>
    public bool HoldTooMuch(long needed, int most) => Bytes > Math.Max(SmallMemory, 2 * needed) || Count > most;

    public Extent Add(Extent extent)
    {
        var index = FreeIndex();
        var extents = _extents;
        var copy = new Extent?[Math.Max(extents.Length, index + 1)];
        Array.Copy(extents, copy, extents.Length);
        (extent.Index, extent.Serial) = (index, ++_added);
        copy[index] = extent;
        Volatile.Write(ref _extents, copy);
        return extent;
    }

    public void Remove(Extent extent)
    {
        if (!ReferenceEquals(_extents[extent.Index], extent)) return; // its number may be another's by now
        var copy = (Extent?[])_extents.Clone();
        copy[extent.Index] = null;
        Volatile.Write(ref _extents, copy);
        extent.Disk?.Leave();
    }

    // Numbers go round, so that one is used again as late as possible; readers check the location after they have the extent.
    private int FreeIndex()
    {
        for (var tries = 0; tries < Limit; tries++)
        {
            var index = _next;
            _next = _next + 1 == Limit ? 1 : _next + 1;
            if (index >= _extents.Length || _extents[index] is null) return index;
        }

        throw new InvalidOperationException($"More than {Limit} extents are in use.");
    }
}
