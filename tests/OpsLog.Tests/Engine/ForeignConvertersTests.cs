using System.Text.Json;
using System.Text.Json.Serialization;
using OpsLog.Engine;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: documents that only the serializer writes are not looked at twice. Method: types as applications have them.</summary>
public sealed partial class ForeignConvertersTests
{
    [Theory]
    [InlineData(typeof(Everyday))]
    [InlineData(typeof(Dictionary<string, Everyday[]>))]
    [InlineData(typeof(Shape))]
    public void What_only_the_serializer_writes_needs_no_check(Type type) =>
        Assert.False(ForeignConverters.MayWrite(DefaultJson.Options.GetTypeInfo(type)));

    [Fact]
    public void Nor_does_what_generated_code_writes() => Assert.False(ForeignConverters.MayWrite(GeneratedEveryday.Default.Everyday));

    internal enum Colour
    {
        Red,
    }

    internal sealed record Everyday(string Id, int? Count, decimal Price, DateTimeOffset At, Guid Key, byte[] Bytes, Uri? Link, TimeSpan Length)
    {
        public List<Everyday> Parts { get; set; } = [];

        public Dictionary<Guid, KeyValuePair<string, double>> Pairs { get; set; } = [];

        [JsonConverter(typeof(JsonStringEnumConverter<Colour>))]
        public Colour? Colour { get; set; }

        public IReadOnlyList<JsonElement> Elements { get; set; } = [];

        [JsonExtensionData]
        public Dictionary<string, JsonElement>? Others { get; set; }
    }

    [JsonDerivedType(typeof(Circle), "circle")]
    internal abstract record Shape(string Name);

    internal sealed record Circle(string Name, float Radius) : Shape(Name);

    [JsonSerializable(typeof(Everyday))]
    internal sealed partial class GeneratedEveryday : JsonSerializerContext;
}
