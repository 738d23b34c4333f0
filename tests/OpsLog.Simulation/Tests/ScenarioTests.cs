using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>The storages on which the named scenarios are played (the names of <see cref="Search.StorageForm"/>).</summary>
public abstract class ScenarioTests
{
    public static TheoryData<string> Forms => ["Append", "Numbered", "Locks"];

    /// <summary>Storages where nobody can tell who lives.</summary>
    public static TheoryData<string> FormsWithoutLocks => ["Append", "Numbered"];
}
