using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>An operation in a log: where its line begins, and its clock.</summary>
internal readonly record struct UnitOperation(long Offset, long Clock);

/// <summary>The units of a log (operations and whole batches) from the newest to the oldest.</summary>
internal abstract class UndoUnits(Extent extent, int schema)
{
    public Extent Extent { get; } = extent;

    /// <summary>The schema version of the log's documents.</summary>
    public int Schema { get; } = schema;

    /// <summary>The next older unit, its operations in log order; null at the start of the log.</summary>
    public abstract UnitOperation[]? Previous();

    /// <summary>
    /// Walks back line by line: costs what is walked, not what the log holds. Only for logs in which every line carries its clock, as ours do.
    /// </summary>
    public sealed class Backward(Extent extent, long end, int schema) : UndoUnits(extent, schema)
    {
        private long _position = end;
        private bool _spoiled;

        public override UnitOperation[]? Previous()
        {
            while (_position > 0)
            {
                var verdict = Step(out var operation, out var size, out var index);
                if (verdict == LineVerdict.Spoiled) _spoiled = true;
                if (verdict != LineVerdict.Operation) continue;
                if (size > 1 && index < size - 1 && _spoiled) continue; // a batch that was never finished
                _spoiled = false;
                return size > 1 && index == size - 1 ? Batch(operation, size) : [operation];
            }

            return null;
        }

        private UnitOperation[] Batch(UnitOperation last, int size)
        {
            var operations = new UnitOperation[size];
            operations[^1] = last;
            for (var i = size - 2; i >= 0; i--) Step(out operations[i], out _, out _);
            return operations;
        }

        private LineVerdict Step(out UnitOperation operation, out int batchSize, out int batchIndex)
        {
            var isOnDisk = Extent.IsOnDisk(_position - 1);
            var span = Extent.Before(_position, out var chunkStart);
            var lineStart = span[..^1].LastIndexOf((byte)'\n') + 1;
            _position = chunkStart + lineStart;
            if (isOnDisk) StoredLine.Check(Extent.Name, span[lineStart..^1], _position, isLog: true);
            var verdict = OperationCodec.TryRead(span[lineStart..^1], UndoLog.NoOffset, false, out var line, out _);
            operation = verdict == LineVerdict.Operation ? new UnitOperation(_position, line.Clock) : default;
            (batchSize, batchIndex) = verdict == LineVerdict.Operation ? (line.BatchSize, line.BatchIndex) : (1, 0);
            return verdict;
        }
    }

    /// <summary>Units that were collected by scanning a log forward, as logs with another program's lines must be.</summary>
    public sealed class Collected(Extent extent, List<UnitOperation[]> units, int schema) : UndoUnits(extent, schema)
    {
        private int _next = units.Count;

        public override UnitOperation[]? Previous() => _next == 0 ? null : units[--_next];
    }

    /// <summary>Collects the units of a log as a scanner hands its operations on.</summary>
    public sealed class Collector : IOperationSink
    {
        private readonly List<UnitOperation> _batch = [];

        public List<UnitOperation[]> Units { get; } = [];

        public void Operation(in OperationLine line, long offset, long clock, long next)
        {
            _batch.Add(new UnitOperation(offset, clock));
            if (line.BatchIndex < line.BatchSize - 1) return;
            Units.Add([.. _batch]);
            _batch.Clear();
        }
    }
}
