namespace OpsLog.Engine.Agents;

/// <summary>What was met while a store was open: the newest thousand, and each in the log of the application. Thread-safe.</summary>
internal sealed class DamageNotes(EngineSettings settings)
{
    private const int Most = 1000;
    private readonly Queue<Damage> _notes = new();

    public IReadOnlyList<Damage> All
    {
        get
        {
            lock (_notes) return [.. _notes];
        }
    }

    public void Add(IReadOnlyList<Damage> damages)
    {
        lock (_notes)
        {
            foreach (var damage in damages)
            {
                EngineLog.Noted(settings.Logger, settings.Telemetry.LogName, damage);
                _notes.Enqueue(damage);
                if (_notes.Count > Most) _notes.Dequeue();
            }
        }
    }
}
