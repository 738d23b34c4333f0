using System.Text.Json;
using OpsLog.Simulation.Disk;

namespace OpsLog.Simulation.Model;

/// <summary>The archive objects there are, and what the listed ones hold.</summary>
internal sealed class ArchiveModel
{
    private Dictionary<string, Dictionary<string, SimStamp>> _objects = new(StringComparer.Ordinal); // what one holds is never changed
    private Dictionary<(string Period, string Id), SimStamp> _listed = [];
    private ManifestModel? _manifest;

    /// <summary>What is archived: the newest stamp of each record, by period.</summary>
    public IReadOnlyDictionary<(string Period, string Id), SimStamp> Listed => _listed;

    public ArchiveModel Copy() => new() { _objects = new(_objects, StringComparer.Ordinal), _listed = new(_listed), _manifest = _manifest };

    public void Put(SimObject stored)
    {
        try
        {
            using var document = JsonDocument.Parse(stored.Slice(0, stored.Length));
            var stamps = document.RootElement.GetProperty("opslog").GetProperty("stamps").EnumerateArray()
                .Select(s => new SimStamp(s[0].GetInt64(), s[1].GetString()!, s[2].GetString()!));
            _objects[stored.Key] = document.RootElement.GetProperty("records").EnumerateObject()
                .Zip(stamps).ToDictionary(r => r.First.Name, r => r.Second, StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvariantViolation(Invariant.I9Archived, $"{stored.Key} is no archive: {e.Message}");
        }

        if (_manifest is not null) List(_manifest);
    }

    public void List(ManifestModel manifest)
    {
        _manifest = manifest;
        _listed.Clear();
        foreach (var (period, objects) in manifest.Archives)
        {
            foreach (var name in objects)
            {
                if (!_objects.TryGetValue(name, out var records)) continue; // found missing elsewhere
                foreach (var (id, stamp) in records)
                    if (!_listed.TryGetValue((period, id), out var known) || stamp.CompareTo(known) > 0) _listed[(period, id)] = stamp;
            }
        }
    }

    /// <summary>What a delete says it moved is there, or something newer of the same record.</summary>
    public void Require(LoggedOperation delete, SimStamp moved)
    {
        if (_listed.TryGetValue((delete.Segment!, delete.Id), out var stamp) && stamp.CompareTo(moved) >= 0) return;
        throw new InvariantViolation(Invariant.I9Archived, $"{delete} stands in a log, but period {delete.Segment} lists {(stamp == default ? "nothing" : stamp.ToString())} of {delete.Id}");
    }
}
