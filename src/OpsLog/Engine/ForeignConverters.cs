using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace OpsLog.Engine;

/// <summary>
/// Finds out, once for a type, whether any code but the serializer's own may write a part of its documents: a converter of the application's can leave values out, or write raw
/// text. What only the serializer writes is minified JSON, and is not looked at again.
/// </summary>
internal static class ForeignConverters
{
    private const int MostTypes = 500;

    public static bool MayWrite(JsonTypeInfo document)
    {
        try
        {
            return MayWrite(document, []);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return true; // a type that cannot be looked up now (a resolver may throw anything), and perhaps is never written
        }
    }

    private static bool MayWrite(JsonTypeInfo info, HashSet<Type> seen)
    {
        if (!seen.Add(info.Type)) return false;
        if (seen.Count > MostTypes) return true; // generic types can go on without end
        // What an object is shows when it is written; a node may hold a value of any type.
        if (info.Type == typeof(object) || info.Type.IsAssignableTo(typeof(JsonNode)) || IsForeign(info.Converter)) return true;
        if (info.Kind == JsonTypeInfoKind.Object && info.Properties.Any(p => IsForeign(p.CustomConverter) || MayWrite(p.PropertyType, info, seen))) return true;
        if (info.PolymorphismOptions?.DerivedTypes.Any(d => MayWrite(d.DerivedType, info, seen)) == true) return true;
        return MayWrite(info.ElementType, info, seen) || MayWrite(info.KeyType, info, seen) || MayWrite(Nullable.GetUnderlyingType(info.Type), info, seen);
    }

    private static bool MayWrite(Type? part, JsonTypeInfo whole, HashSet<Type> seen) => part is not null && !seen.Contains(part) && MayWrite(whole.Options.GetTypeInfo(part), seen);

    private static bool IsForeign(JsonConverter? converter) => converter is not null && converter.GetType().Assembly != typeof(JsonConverter).Assembly;
}
