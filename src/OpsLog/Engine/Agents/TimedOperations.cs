using System.Text;
using OpsLog.Format;

namespace OpsLog.Engine.Agents;

/// <summary>Hands operations on, and notes when the last of them was written.</summary>
internal sealed class TimedOperations(StateBuilder next) : IOperationSink
{
    private readonly byte[] _time = new byte[OperationCodec.TimestampLength];
    private bool _hasTime;

    public string Time => _hasTime ? Encoding.ASCII.GetString(_time) : "";

    public void Operation(in OperationLine line, long offset, long clock, long nextOffset)
    {
        if (line.Timestamp.Length == _time.Length)
        {
            line.Timestamp.CopyTo(_time);
            _hasTime = true;
        }

        next.Operation(line, offset, clock, nextOffset);
    }
}
