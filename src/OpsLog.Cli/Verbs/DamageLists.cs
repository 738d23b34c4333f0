using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary>Lists of damage in JSON reports.</summary>
internal static class DamageLists
{
    /// <summary>Writes a member that holds a list of damage.</summary>
    public static void Write(Utf8JsonWriter writer, string name, IReadOnlyList<Damage> damages)
    {
        writer.WriteStartArray(name);
        foreach (var damage in damages) ErrorReport.WriteDamage(writer, null, damage);
        writer.WriteEndArray();
    }
}
