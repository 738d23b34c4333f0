using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using OpsLog.Engine;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a view that nobody else refers to keeps the memory that a document is being read from. Method: a converter that collects, and looks whether the memory's owner
/// lives. Only optimised code forgets a reference before its method ends: without the view's care this fails with <c>DOTNET_TieredCompilation=0</c>.
/// </summary>
public sealed class ViewTests
{
    [Fact]
    public void A_view_keeps_what_a_document_is_read_from()
    {
        var collects = new Collecting();
        Assert.Equal("read", Read(Make(collects)).Text);
        Assert.True(collects.OwnerWasAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Seen Read(OpsView<Seen> view) => view["a"];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static OpsView<Seen> Make(Collecting collects)
    {
        var state = new StoreState(1);
        var location = new OwnForm(state).Add("a"u8, """{"text":"read"}"""u8, 1, StampSource.SingleWriter, false);
        state.Records.Set("a"u8, location);
        collects.Owner = new WeakReference(state.Extents.Current[location.Extent]);
        var options = new JsonSerializerOptions { Converters = { collects } };
        return new OpsView<Seen>(StoreView.Of(state), new DocumentCodec<Seen>(new OpsStoreOptions { JsonSerializerOptions = options }));
    }

    internal sealed record Seen(string Text);

    private sealed class Collecting : JsonConverter<Seen>
    {
        public WeakReference? Owner { get; set; }

        public bool OwnerWasAlive { get; private set; }

        public override Seen Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            GC.Collect();
            OwnerWasAlive = Owner!.IsAlive;
            while (reader.TokenType != JsonTokenType.String) reader.Read();
            var text = reader.GetString()!;
            reader.Read();
            return new Seen(text);
        }

        public override void Write(Utf8JsonWriter writer, Seen value, JsonSerializerOptions options) => throw new NotSupportedException();
    }
}
