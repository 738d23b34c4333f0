using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;
using OpsLog.Storage;

namespace OpsLog.Simulation.Run;

/// <summary>
/// A schedule from a seed. Schedules differ in style: some switch all the time, some stay with one process, some let one sleep for long or go by
/// priorities; and in how much goes wrong.
/// </summary>
internal sealed class RandomDecider : IDecider
{
    private const int MostDecisions = 6000;
    private readonly List<int> _ready = [];
    private readonly int _style;
    private readonly int _faults;
    private readonly int _crashes;
    private readonly int _powerLosses;
    private readonly int _waits;
    private readonly int[] _priorities;
    private readonly bool _hasCallsBeside;
    private SimRandom _random;
    private int _left;
    private int _last = -1;
    private int _sleeper = -1;
    private int _wakesAt;
    private int _decisions;

    public RandomDecider(SimProgram program)
    {
        var (seed, processes) = (program.Seed, program.Processes.Count);
        _hasCallsBeside = program.HasCallsBeside;
        _random = new SimRandom(seed ^ 0x5EED5EED5EED);
        _style = _random.Next(4);
        var profile = _random.Next(10);
        (_faults, _crashes) = profile switch { < 3 => (0, 0), < 5 => (0, 15), < 7 => (20, 5), < 9 => (60, 15), _ => (200, 30) };
        _powerLosses = profile >= 3 && _random.Chance(250) ? 4 : 0;
        _waits = _random.Next(3) * 10;
        _left = 1 + _random.Next(8);
        _priorities = new int[processes];
        for (var i = 0; i < processes; i++) _priorities[i] = _random.Next(1 << 20);
    }

    public Decision? Next(Simulator simulator)
    {
        if (++_decisions > MostDecisions || !Collect(simulator)) return null;
        if (_random.Chance(_waits)) return new Decision(DecisionKind.Wait, 0, _random.Pick([1, 30, 61, 300, 700, 4000]));
        if (simulator.Delayed > 0 && _random.Chance(120)) return new Decision(DecisionKind.Land, 0, _random.Next(simulator.Delayed));
        if (_left > 0 && _random.Chance(_powerLosses) && simulator.Calls > 10)
        {
            _left -= 2;
            return new Decision(DecisionKind.PowerLoss, 0, _random.Next(1 << 20));
        }

        var process = simulator.Processes[Choose()];
        _last = process.Index;
        if (_hasCallsBeside && process.Waits && Beside(process) is { } other) return other;
        var call = process.Storage is { Pending: [var first, ..] } ? first : null;
        if (_left > 0 && process.Storage is not null && _random.Chance(_crashes)) return Spend(Crash(simulator, process, call));
        if (call is null) return new Decision(process.CanBegin ? DecisionKind.Go : DecisionKind.Fire, process.Index);
        if (_left > 0 && _random.Chance(_faults)) return Spend(Fault(simulator, process, call));
        return new Decision(DecisionKind.Go, process.Index);
    }

    // Of what a process could go on with, something else than its oldest storage call or its next step.
    private Decision? Beside(SimProcess process)
    {
        if (process.Storage!.Pending.Count > 1 && _random.Chance(400)) return new Decision(DecisionKind.Turn, process.Index, 1 + _random.Next(process.Storage.Pending.Count - 1));
        if (process.Storage.Pending[0] is { Changes: true, HasHappened: false } && _random.Chance(150)) return new Decision(DecisionKind.Reach, process.Index);
        if (process.CanBegin && _random.Chance(500)) return new Decision(DecisionKind.Go, process.Index, 1);
        return process.Clock!.Next is not null && _random.Chance(200) ? new Decision(DecisionKind.Fire, process.Index) : null;
    }

    private Decision Spend(Decision decision)
    {
        _left--;
        return decision;
    }

    private bool Collect(Simulator simulator)
    {
        _ready.Clear();
        foreach (var process in simulator.Processes)
            if (process.HasWork || (_hasCallsBeside && process.Waits)) _ready.Add(process.Index);
        return _ready.Count > 0;
    }

    private int Choose()
    {
        if (_ready.Count == 1) return _ready[0];
        switch (_style)
        {
            case 0:
                break;
            case 1 when _ready.Contains(_last) && _random.Chance(880):
                return _last;
            case 2:
                // One sleeps, wherever it is, while the others go on.
                if (_decisions >= _wakesAt) (_sleeper, _wakesAt) = (_random.Next(_priorities.Length), _decisions + 10 + _random.Next(150));
                if (_ready.Contains(_last) && _last != _sleeper && _random.Chance(700)) return _last;
                _ready.Remove(_sleeper);
                break;
            case 3:
                // By priorities, which change now and then.
                if (_random.Chance(25)) _priorities[Math.Max(_last, 0)] = -_decisions;
                var best = _ready[0];
                foreach (var index in _ready)
                    if (_priorities[index] > _priorities[best]) best = index;
                return best;
        }

        return _ready[_random.Next(_ready.Count)];
    }

    private Decision Crash(Simulator simulator, SimProcess process, StorageCall? call)
    {
        var kinds = new List<DecisionKind> { DecisionKind.Crash };
        if (call is { Changes: true })
        {
            kinds.Add(DecisionKind.CrashAfter);
            if (CanDelay(simulator) && process.Role == Role.Agent) kinds.Add(DecisionKind.CrashDelayed); // what a dead single writer has sent fences whoever opened the store before it came
        }

        if (call is { Kind: CallKind.Append, Size: > 0 }) kinds.Add(DecisionKind.CrashTorn);
        return new Decision(kinds[_random.Next(kinds.Count)], process.Index, call is null ? 0 : Torn(call.Size));
    }

    private Decision Fault(Simulator simulator, SimProcess process, StorageCall call)
    {
        var kinds = new List<DecisionKind> { DecisionKind.Fail };
        if (call.Changes)
        {
            kinds.Add(DecisionKind.LoseAnswer);
            if (CanDelay(simulator)) kinds.Add(DecisionKind.Delay);
        }

        if (call is { Kind: CallKind.Append, Size: > 0 }) kinds.Add(DecisionKind.Tear);
        if (_random.Chance(100)) kinds.Add(DecisionKind.Break);
        if (call.Kind == CallKind.Put && call.Key.Value == ObjectNames.Manifest && simulator.Program.Settings.HoldsWriters) kinds.Add(DecisionKind.Hold);
        var kind = kinds[_random.Next(kinds.Count)];
        return new Decision(kind, process.Index, kind == DecisionKind.Tear ? Torn(call.Size) : _random.Next(64));
    }

    // Where an append is torn: anywhere, but often just before its end or at the end of a line.
    private int Torn(int size) => size == 0 ? 0 : _random.Next(4) switch { 0 => size - 1, 1 => Math.Max(size - 2, 0), _ => _random.Next(size) };

    // In a folder a call is over when its process is.
    private static bool CanDelay(Simulator simulator) => (simulator.Disk.Capabilities & StorageCapabilities.HoldsWriters) == 0;
}
