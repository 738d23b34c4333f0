using System.Buffers;
using System.Diagnostics;
using System.Numerics;
using CsCheck;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>A delta is written only if it gives the old bytes back exactly; the package's deltas are understood as it means them.</summary>
public class ReversePatchTests
{
    private static string? Patch(string oldDoc, string newDoc)
    {
        var destination = new byte[oldDoc.Length * 3];
        return ReversePatch.TryWrite(Samples.Utf8(oldDoc), Samples.Utf8(newDoc), destination, out var written) ? Samples.ToText(destination.AsSpan(0, written)) : null;
    }

    private static string? Apply(string newDoc, string patch)
    {
        var output = new ArrayBufferWriter<byte>();
        return ReversePatch.TryApply(Samples.Utf8(newDoc), Samples.Utf8(patch), output) ? Samples.ToText(output.WrittenSpan) : null;
    }

    [Theory]
    [InlineData("""{"a":"long old value","b":2}""", """{"a":"new","b":2}""", null)]
    [InlineData("""{"a":1,"b":"a long value that stays"}""", """{"a":2,"b":"a long value that stays"}""", """{"$set":{"a":1}}""")]
    [InlineData("""{"a":"a long value that stays","b":1}""", """{"a":"a long value that stays","b":2}""", """{"$set":{"b":1}}""")]
    [InlineData("""{"a":"a long value that stays"}""", """{"a":"a long value that stays","b":2,"c":3}""", """{"$unset":["b","c"]}""")]
    [InlineData("""{"a":"a long value that stays, really it does","b":1}""", """{"a":"a long value that stays, really it does","c":3}""", """{"$set":{"b":1},"$unset":["c"]}""")]
    [InlineData("""{"a":"a long value that stays","z":1,"b":2}""", """{"a":"a long value that stays"}""", """{"$set":{"z":1,"b":2}}""")]
    [InlineData("""{"a":"same","b":[1,2,{"c":"d"}]}""", """{"a":"same","b":[1,2,{"c":"d"}]}""", "{}")]
    [InlineData("""{"b":1,"a":"a long value that stays"}""", """{"a":"a long value that stays"}""", null)] // b stood in front
    [InlineData("""{"a":"a long value that stays","b":1}""", """{"b":1,"a":"a long value that stays"}""", null)] // order changed
    [InlineData("""{"a":1,"a":2,"b":"a long value that stays"}""", """{"a":1,"b":"a long value that stays"}""", null)] // twice in the old one
    [InlineData("""{"a":1,"b":"a long value that stays"}""", """{"a":1,"a":2,"b":"a long value that stays"}""", null)] // twice in the new one
    [InlineData("""{"a":"a long value that stays"}""", """{"b":1,"b":2,"a":"a long value that stays"}""", null)]
    [InlineData("""{"a":1,"\u0061":2,"b":"a long value that stays"}""", """{"b":"a long value that stays"}""", null)] // twice, escaped
    [InlineData("""{"\u0061":1,"b":"a long value that stays"}""", """{"a":2,"b":"a long value that stays"}""", null)] // spelled otherwise
    [InlineData("""{"a":"a long value that stays","__proto__":1}""", """{"a":"a long value that stays"}""", null)] // the package cannot assign it
    [InlineData("""{"a":"a long value that stays","__proto__":1}""", """{"a":"a long value that stays","__proto__":2}""", """{"$set":{"__proto__":1}}""")]
    [InlineData("""["a long value that stays",1]""", """["a long value that stays",2]""", null)]
    [InlineData("""{"a":"a long value that stays"}""", "5", null)]
    [InlineData("{}", "{}", null)] // not shorter
    [InlineData("{}", """{"a":1}""", null)]
    public void A_patch_is_what_it_should_be(string oldDoc, string newDoc, string? patch)
    {
        Assert.Equal(patch, Patch(oldDoc, newDoc));
        if (patch is not null) Assert.Equal(oldDoc, Apply(newDoc, patch));
    }

    [Fact]
    public void Names_that_were_chosen_to_collide_cost_no_more_than_others()
    {
        var names = NamesOfOneChecksum(15);
        var oldDoc = "{" + string.Join(',', names.Select(name => $"\"{name}\":1")) + "}";
        var newDoc = "{" + string.Join(',', names.Select(name => $"\"{name}\":{(name == names[^1] ? 2 : 1)}")) + "}";
        var started = Stopwatch.GetTimestamp();
        var patch = Patch(oldDoc, newDoc);
        Assert.Equal($"{{\"$set\":{{\"{names[^1]}\":1}}}}", patch);
        Assert.Equal(oldDoc, Apply(newDoc, patch!));
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(1)); // some ten ms; each name against each other takes seconds
    }

    [Fact]
    public void A_patch_gives_the_old_bytes_back_exactly()
        => Gen.Select(Samples.Document, Gen.Int).Sample((oldDoc, seed) =>
        {
            var newDoc = Mutate(oldDoc, new Random(seed));
            foreach (var (from, to) in new[] { (oldDoc, newDoc), (newDoc, oldDoc), (oldDoc, oldDoc) })
            {
                var patch = Patch(from, to);
                if (patch is null) continue;
                Assert.True(Samples.Utf8(patch).Length < Samples.Utf8(from).Length);
                Assert.Equal(from, Apply(to, patch));
                Assert.Equal(from, Apply(Samples.Spread(to), Samples.Spread(patch)).AsMinified(from));
            }
        }, iter: 2000);

    [Fact]
    public void Most_small_changes_of_a_large_document_have_a_patch()
    {
        var members = Enumerable.Range(0, 500).Select(i => $"\"member{i}\":\"value {i}\"").ToArray();
        var oldDoc = "{" + string.Join(',', members) + "}";
        foreach (var change in new[] { 0, 1, 250, 498, 499 })
        {
            var changed = (string[])members.Clone();
            changed[change] = $"\"member{change}\":{{\"other\":[true]}}";
            var newDoc = "{" + string.Join(',', changed) + "}";
            Assert.Equal($"{{\"$set\":{{{members[change]}}}}}", Patch(oldDoc, newDoc));
            Assert.Equal(oldDoc, Apply(newDoc, Patch(oldDoc, newDoc)!));
        }

        var duplicate = "{" + string.Join(',', [.. members, members[3]]) + "}";
        Assert.Null(Patch(oldDoc, duplicate));
        Assert.Null(Patch(duplicate, oldDoc));
    }

    [Theory]
    [InlineData("""{"9":"nine","10":"ten","__proto__":{"x":2},"constructor":2,"":4,"a b":4}""", """{"$set":{"":3,"$set":{"y":1},"$unset":["z"]}}""", """{"9":"nine","10":"ten","__proto__":{"x":2},"constructor":2,"":3,"a b":4,"$set":{"y":1},"$unset":["z"]}""")]
    [InlineData("""{"f2":2,"f3":"l3","f5":"changed"}""", """{"$set":{"f0":0,"f3":"changed 3","f5":"l5","added":{"deep":[1,2]}}}""", """{"f2":2,"f3":"changed 3","f5":"l5","f0":0,"added":{"deep":[1,2]}}""")]
    [InlineData("""{"a":1,"b":2}""", """{"$set":{"a":3,"a":4,"c":5},"$unset":["b","c","nothing"]}""", """{"a":4}""")]
    [InlineData("""{"a":1,"a":2,"b":3}""", """{"$set":{"b":4}}""", """{"a":2,"b":4}""")]
    [InlineData("""{"\u0061":1}""", """{"$set":{"a":2},"other":7}""", """{"\u0061":2}""")]
    [InlineData("""{ "a" : 1 }""", """{ "$unset" : [ "a" ] }""", "{}")]
    [InlineData("{}", "{}", "{}")]
    public void Patches_of_the_package_are_applied_as_it_does(string newDoc, string patch, string oldDoc) => Assert.Equal(oldDoc, Apply(newDoc, patch));

    [Theory]
    [InlineData("[1]", "{}")]
    [InlineData("null", "{}")]
    [InlineData("{}", "[]")]
    [InlineData("{}", "null")]
    [InlineData("{}", """{"$set":5}""")]
    [InlineData("{}", """{"$unset":{"a":1}}""")]
    [InlineData("{}", """{"$unset":[1]}""")]
    public void What_is_no_document_or_no_patch_is_refused(string newDoc, string patch) => Assert.Null(Apply(newDoc, patch));

    [Fact]
    public void A_destination_too_short_gives_no_patch()
        => Assert.False(ReversePatch.TryWrite("{\"a\":1,\"b\":\"a long value that stays\"}"u8, "{\"a\":2,\"b\":\"a long value that stays\"}"u8, new byte[5], out _));

    /// <summary>Changes, drops, adds or moves members of a document.</summary>
    private static string Mutate(string document, Random random)
    {
        using var json = System.Text.Json.JsonDocument.Parse(document);
        var members = new List<string>();
        foreach (var member in json.RootElement.EnumerateObject()) members.Add(Samples.Json(member.Name) + ":" + member.Value.GetRawText());
        for (var i = random.Next(3); i >= 0; i--)
        {
            var at = members.Count == 0 ? 0 : random.Next(members.Count);
            switch (members.Count == 0 ? 2 : random.Next(4))
            {
                case 0:
                    members[at] = members[at][..(members[at].LastIndexOf("\":", StringComparison.Ordinal) is var colon && colon > 0 && members[at].IndexOf("\":", StringComparison.Ordinal) == colon ? colon + 2 : 0)] is { Length: > 0 } name ? name + random.Next(100) : members[at];
                    break;
                case 1:
                    members.RemoveAt(at);
                    break;
                case 2:
                    members.Insert(random.Next(2) == 0 ? members.Count : at, "\"extra" + random.Next(1000) + "\":[1,\"}\"]");
                    break;
                default:
                    (members[at], members[^1]) = (members[^1], members[at]);
                    break;
            }
        }

        return "{" + string.Join(',', members) + "}";
    }

    // 2^n names whose CRC-32C ends in the same 20 bits: it is linear, so that a change of some letters changes nothing there, and any of these together neither.
    private static List<string> NamesOfOneChecksum(int n)
    {
        const int letters = 48;
        var name = Enumerable.Repeat((byte)'a', letters).ToArray();
        var whole = JsonLines.Checksum(name);
        var (pivots, silent) = (new Dictionary<int, (uint Effect, ulong Letters)>(), new List<ulong>());
        for (var i = 0; i < letters && silent.Count < n; i++)
        {
            name[i] = (byte)'c';
            var (effect, changed) = ((JsonLines.Checksum(name) ^ whole) & 0xF_FFFF, 1UL << i);
            name[i] = (byte)'a';
            while (effect != 0 && pivots.TryGetValue(BitOperations.Log2(effect), out var pivot)) (effect, changed) = (effect ^ pivot.Effect, changed ^ pivot.Letters);
            if (effect == 0) silent.Add(changed);
            else pivots.Add(BitOperations.Log2(effect), (effect, changed));
        }

        return [.. Enumerable.Range(0, 1 << n).Select(choice =>
        {
            var changed = silent.Where((_, i) => ((choice >> i) & 1) != 0).Aggregate(0UL, (sum, next) => sum ^ next);
            return string.Concat(Enumerable.Range(0, letters).Select(i => ((changed >> i) & 1) == 0 ? 'a' : 'c'));
        })];
    }
}

internal static class PatchResults
{
    /// <summary>The result without whitespace: values keep the whitespace they came with.</summary>
    public static string AsMinified(this string? json, string like)
    {
        var bytes = Samples.Utf8(json ?? "");
        var text = Samples.ToText(bytes.AsSpan(0, JsonLines.Minify(bytes, bytes)));
        return json is null ? like : text;
    }
}
