using System.Text;
using OpsLog.Cli;
using Xunit;

namespace OpsLog.Tests.Cli;

public class WhereFilterTests
{
    [Theory]
    [InlineData("status=active", true)]
    [InlineData("status=Active", false)]
    [InlineData("n=1.50", true)]
    [InlineData("n=1.5", false)]
    [InlineData("done=true", true)]
    [InlineData("none=null", true)]
    [InlineData("missing=null", false)]
    [InlineData("owner.name=Zoë", true)]
    [InlineData("owner.tags=x", false)]
    [InlineData("owner=x", false)]
    [InlineData("status.x=active", false)]
    [InlineData("eq=a=b", true)]
    [InlineData("empty=", true)]
    [InlineData("text=a\"b", true)]
    [InlineData("list=1", false)]
    public void Scalars_are_compared_by_their_text(string filter, bool matches)
    {
        const string Document = """
            {"status":"active","n":1.50,"done":true,"none":null,"owner":{"tags":["x"],"name":"Zo\u00eb"},"eq":"a=b","empty":"","text":"a\"b","list":[1]}
            """;
        Assert.Equal(matches, WhereFilter.Parse(filter).Matches(Encoding.UTF8.GetBytes(Document)));
    }

    [Fact]
    public void Of_equal_members_the_last_counts()
    {
        Assert.True(WhereFilter.Parse("a=2").Matches("""{"a":1,"a":2}"""u8));
        Assert.False(WhereFilter.Parse("a=1").Matches("""{"a":1,"a":2}"""u8));
        Assert.False(WhereFilter.Parse("a.b=1").Matches("""{"a":{"b":1},"a":2}"""u8));
    }

    [Fact]
    public void All_filters_must_hold()
    {
        var filters = WhereFilter.Parse(["a=1", "b=2"]);
        Assert.True(WhereFilter.MatchAll(filters, """{"a":1,"b":2}"""u8));
        Assert.False(WhereFilter.MatchAll(filters, """{"a":1,"b":3}"""u8));
        Assert.True(WhereFilter.MatchAll(WhereFilter.Parse((string[]?)null), "5"u8));
    }

    [Theory]
    [InlineData("initial=x", """{"initial":"\ud83d"}""")]
    [InlineData("initial=xxxxxx", """{"initial":"\ud83dx"}""")]
    [InlineData("a=1", """{"\ud83d":1}""")]
    [InlineData("a.b=1", """{"a":{"\udc00":1,"b":"\ud83d\ud83d"}}""")]
    public void Half_of_a_surrogate_pair_matches_nothing(string filter, string document)
    {
        Assert.False(WhereFilter.Parse(filter).Matches(Encoding.UTF8.GetBytes(document)));
        Assert.True(WhereFilter.Parse("z=😀").Matches(Encoding.UTF8.GetBytes(document[..^1] + ",\"z\":\"\\ud83d\\ude00\"}")));
    }

    [Theory]
    [InlineData("5")]
    [InlineData("\"x\"")]
    [InlineData("[]")]
    [InlineData("null")]
    public void A_document_that_is_no_object_has_no_members(string document) =>
        Assert.False(WhereFilter.Parse("a=1").Matches(Encoding.UTF8.GetBytes(document)));

    [Theory]
    [InlineData("name")]
    [InlineData("=x")]
    [InlineData("a..b=x")]
    [InlineData("")]
    public void What_is_no_filter_is_a_usage_error(string filter) => Assert.Throws<UsageException>(() => WhereFilter.Parse(filter));
}
