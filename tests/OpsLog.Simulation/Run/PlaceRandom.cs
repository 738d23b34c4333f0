namespace OpsLog.Simulation.Run;

/// <summary>
/// The random numbers of a process of the exhaustive search. They follow from who draws, and from the version of the manifest on which the name that is made of them will be
/// based: no process registers or reserves two names on one manifest, and ways that lead to the same place must lead to the same names.
/// </summary>
internal sealed class PlaceRandom(int process) : Random(0)
{
    private ulong _base;
    private ulong _draws;

    /// <summary>What the numbers follow from; they begin anew when it is set.</summary>
    public ulong Base
    {
        get => _base;
        set => (_base, _draws) = (value, 0);
    }

    /// <summary>The numbers begin anew: a step has begun, and what it draws does not depend on what was drawn before.</summary>
    public void Restart() => _draws = 0;

    // What it inherits is never drawn from.
    public PlaceRandom Copy() => (PlaceRandom)MemberwiseClone();

    public override void NextBytes(byte[] buffer)
    {
        var random = new SimRandom(Hashing.Add(Hashing.Add(_base, (ulong)process), _draws++));
        for (var i = 0; i < buffer.Length; i++) buffer[i] = (byte)random.NextBits();
    }
}
