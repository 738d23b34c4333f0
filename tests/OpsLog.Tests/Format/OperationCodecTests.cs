using System.Text.Json;
using CsCheck;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Format;

/// <summary>Lines of our own: written to the letter, read back whole, and every damage is seen (invariant V7).</summary>
public class OperationCodecTests
{
    private const string Time = "2026-11-23T06:16:05.123Z";

    /// <summary>A draft as a class, so that a generator can make it.</summary>
    private sealed record Draft(bool IsSet, string Id, string Prev, bool IsDelta, string Data, long Clock, string Agent)
    {
        public (int Index, int Size) Batch { get; init; } = (0, 1);

        public UndoMark Mark { get; init; }

        public Stamp Of { get; init; } = new(1, "", "l");

        public Stamp? To { get; init; }

        public bool Noop { get; init; }

        public string? Segment { get; init; }

        public Stamp? Moved { get; init; }

        public byte[] Write(long offset, out int dataStart)
        {
            var draft = new OperationDraft
            {
                Timestamp24 = Samples.Utf8(Time),
                Kind = IsSet ? OperationKind.Set : OperationKind.Delete,
                IdWtf8 = Samples.Wtf8(Id),
                Prev = Samples.Utf8(Prev),
                PrevIsDelta = IsDelta,
                Data = Samples.Utf8(Data),
                Clock = Clock,
                AgentWtf8 = Samples.Wtf8(Agent),
                BatchIndex = Batch.Index,
                BatchSize = Batch.Size,
                Mark = Mark,
                MarkOf = Of,
                MarkTo = To,
                Noop = Noop,
                Segment = Segment,
                Moved = Moved,
            };
            var bytes = new byte[OperationCodec.MaxLength(draft)];
            var written = OperationCodec.Write(bytes, draft, offset, out dataStart);
            Assert.Equal((byte)'\n', bytes[written - 1]);
            return bytes[..(written - 1)];
        }
    }

    private static readonly Gen<Draft> AnyDraft = Gen.Select(
        Gen.Select(Gen.Bool, Samples.AnyText, Gen.OneOf(Gen.Const("null"), Samples.Document), Gen.Bool),
        Gen.Select(Samples.Document, Gen.Long[0, Stamp.MaxClock], Samples.Text),
        Gen.Select(Gen.Int[0, 5], Gen.Int[1, 5], Gen.Enum<UndoMark>(), Gen.Bool),
        Gen.Select(Samples.Stamp, Gen.Bool, Samples.Stamp, Gen.Bool, Samples.Text),
        (head, body, marks, rest) => new Draft(head.Item1, head.Item2, !head.Item1 && head.Item3 == "null" ? "{}" : head.Item3, head.Item4, body.Item1, body.Item2, body.Item3)
        {
            Batch = marks.Item1 == 0 ? (0, 1) : (marks.Item1 - 1, marks.Item1 - 1 + marks.Item2 + 1),
            Mark = marks.Item3,
            Noop = marks.Item4,
            Of = marks.Item3 == UndoMark.None ? default : rest.Item1,
            To = marks.Item3 != UndoMark.None && rest.Item2 ? rest.Item3 : null,
            Segment = rest.Item4 ? rest.Item5 : null,
            Moved = rest.Item4 ? rest.Item3 : null,
        });

    private static LineVerdict Read(byte[] line, long offset, out OperationLine operation) => OperationCodec.TryRead(line, offset, offset == 0, out operation, out _);

    [Fact]
    public void A_line_is_written_to_the_letter()
    {
        var line = new Draft(true, "a\"\n\ud800", "{\"$set\":{\"n\":1}}", true, "{\"n\":2}", 12, "agent 1")
        {
            Batch = (0, 2),
            Mark = UndoMark.Undo,
            Of = new Stamp(9, "b", "ops/x.jsonl"),
            Noop = true,
        };
        var text = Samples.ToText(line.Write(0, out var dataStart));
        Assert.Equal(
            """{"ts":"2026-11-23T06:16:05.123Z","op":"set","id":"a\"\n\ud800","prev":{"$set":{"n":1}},"data":{"n":2},"clock":12,"agent":"agent 1","encoding":"delta","batch":[0,2],"undo":{"of":[9,"b","ops/x.jsonl"],"to":null},"noop":true""",
            text[..^JsonLines.ChecksumTail]);
        Assert.Equal("{\"n\":2}", text.Substring(dataStart, 7));

        var delete = new Draft(false, "x", "{\"n\":2}", false, "", 13, "") { Segment = "2026-Q4", Moved = new Stamp(12, "", "l") };
        text = Samples.ToText(delete.Write(0, out dataStart));
        Assert.Equal("""{"ts":"2026-11-23T06:16:05.123Z","op":"delete","id":"x","prev":{"n":2},"clock":13,"segment":"2026-Q4","moved":[12,"","l"]""", text[..^JsonLines.ChecksumTail]);
        Assert.Equal(0, dataStart);
    }

    [Fact]
    public void Every_operation_comes_back_as_it_was_written()
        => Gen.Select(AnyDraft, Gen.Long[0, long.MaxValue]).Sample((draft, offset) =>
        {
            var line = draft.Write(offset, out var dataStart);
            Assert.Equal(LineVerdict.Operation, Read(line, offset, out var read));
            Assert.True(read.HasChecksum);
            Assert.Equal(draft.IsSet ? OperationKind.Set : OperationKind.Delete, read.Kind);
            Assert.Equal(draft.Id, read.Id());
            var id = new byte[read.RawId.Length];
            Assert.Equal(Samples.Wtf8(draft.Id), id[..read.CopyId(id)]);
            Assert.Equal(Time, Samples.ToText(read.Timestamp));
            Assert.Equal(draft.Prev, Samples.ToText(read.Prev));
            Assert.Equal(draft.IsSet ? draft.Data : "", Samples.ToText(read.Data));
            Assert.Equal(dataStart, read.DataStart);
            Assert.Equal(draft.Clock, read.Clock);
            Assert.Equal(draft.Agent, read.Agent());
            Assert.Equal((draft.IsDelta, draft.Noop, draft.Mark), (read.PrevIsDelta, read.Noop, read.Mark));
            Assert.Equal(draft.Batch, (read.BatchIndex, read.BatchSize));
            Assert.Equal((draft.Of, draft.To), (draft.Mark == UndoMark.None ? draft.Of : read.MarkOf(), read.MarkTo()));
            Assert.Equal((draft.Segment, draft.Moved), (read.Segment(), read.Moved()));
            Assert.True(RecordTail.TryRead(line, out var tail));
            Assert.Equal((draft.Clock, -1), (tail.Clock, tail.LogIndex));
            Assert.Equal(draft.IsSet ? read.DataEnd : read.PrevEnd, tail.Start);
        });

    [Fact]
    public void Every_line_is_JSON_that_means_the_same()
        => AnyDraft.Where(d => !JsonText.HasLoneSurrogate(d.Id)).Sample(draft =>
        {
            using var json = JsonDocument.Parse(draft.Write(0, out _), new JsonDocumentOptions { MaxDepth = 100 });
            Assert.Equal(draft.Id, json.RootElement.GetProperty("id").GetString());
            Assert.Equal(draft.Prev, json.RootElement.GetProperty("prev").GetRawText());
            Assert.Equal(draft.IsSet, json.RootElement.TryGetProperty("data", out var data));
            if (draft.IsSet) Assert.Equal(draft.Data, data.GetRawText());
            Assert.Equal(draft.Clock, json.RootElement.GetProperty("clock").GetInt64());
        });

    [Fact]
    public void V7_every_flipped_bit_is_seen()
    {
        var lines = new[]
        {
            new Draft(true, "task-1", "null", false, "{\"title\":\"Task 1\"}", 1, ""),
            new Draft(true, "é\"", "{\"$set\":{\"a\":\"#J\"}}", true, "{\"a\":[1,2,{\"clock\":1}]}", 77, "alpha") { Batch = (1, 2), Mark = UndoMark.Redo, To = new Stamp(3, "b", "l") },
            new Draft(false, "x", "{\"n\":1}", false, "", 900719925474, "beta") { Segment = "2026", Moved = new Stamp(3, "b", "l") },
        };
        foreach (var draft in lines)
            foreach (var (bit, bytes) in Samples.Flips(draft.Write(4711, out _)))
            {
                Assert.True(OperationCodec.TryRead(bytes, 4711, false, out _, out var fault) == LineVerdict.Corrupt, $"bit {bit} of byte {bit / 8}: {Samples.ToText(bytes)}");
                Assert.NotEmpty(fault);
            }
    }

    [Fact]
    public void V7_a_line_at_another_offset_is_seen()
    {
        var line = new Draft(true, "x", "null", false, "{}", 1, "").Write(1000, out _);
        Assert.Equal(LineVerdict.Operation, Read(line, 1000, out _));
        foreach (var offset in new[] { 0L, 999, 1001, 1000 + (1L << 32), long.MaxValue }) Assert.Equal(LineVerdict.Corrupt, Read(line, offset, out _));
    }

    [Fact]
    public void A_line_that_was_verified_before_is_read_again_without_its_offset()
    {
        var line = new Draft(true, "x", "null", false, "{\"a\":1}", 9, "").Write(1000, out _);
        Assert.Equal(LineVerdict.Operation, Read(line, -1, out var read));
        Assert.Equal((true, 9, "{\"a\":1}"), (read.HasChecksum, read.Clock, Samples.ToText(read.Data)));
    }

    [Fact]
    public void A_line_can_be_sealed_for_another_offset()
    {
        var draft = new Draft(true, "x", "null", false, "{\"a\":1}", 9, "");
        var line = draft.Write(1000, out _);
        JsonLines.Reseal(line, 77);
        Assert.Equal(draft.Write(77, out _), line);
    }

    [Fact]
    public void V7_a_line_cut_anywhere_is_seen()
        => AnyDraft.Sample(draft =>
        {
            var line = draft.Write(0, out _);
            for (var length = 1; length < line.Length; length++)
            {
                var verdict = Read(line[..length], 0, out _);
                Assert.True(verdict == (line[length - 1] == '#' ? LineVerdict.Spoiled : LineVerdict.Corrupt), $"{length}: {verdict}");
            }
        }, iter: 20);

    [Fact]
    public void An_unfinished_line_is_voided_by_a_hash()
    {
        var line = new Draft(true, "x", "null", false, "{\"a\":1}", 1, "").Write(0, out _);
        for (var length = 0; length <= line.Length; length++)
        {
            Assert.Equal(LineVerdict.Spoiled, OperationCodec.TryRead([.. line[..length], (byte)'#'], 0, true, out _, out var fault));
            Assert.NotEmpty(fault);
        }
    }

    [Fact]
    public void Whitespace_around_a_checksummed_line_is_damage()
    {
        var line = new Draft(true, "x", "null", false, "{}", 1, "").Write(0, out _);
        Assert.Equal(LineVerdict.Corrupt, Read([.. line, (byte)'\r'], 0, out _));
        Assert.Equal(LineVerdict.Corrupt, Read([(byte)' ', .. line], 0, out _));
        Assert.Equal(LineVerdict.Corrupt, Read([0xEF, 0xBB, 0xBF, .. line], 0, out _));
    }

    [Theory]
    [InlineData("{\"a\":1,\"clock\":5}")]
    [InlineData("{\"a\":1,\"crc\":\"00000000\"}")]
    [InlineData("{\"a\":\",\\\"clock\\\":5,\\\"crc\\\":\\\"00000000\\\"}\",\"b\":\"}\"}")]
    [InlineData("{\"data\":{\"data\":{},\"clock\":1,\"crc\":\"00000000\"},\"clock\":1,\"crc\":\"00000000\"}")]
    [InlineData("{\"n\":1e400,\"m\":-0,\"big\":9007199254740993,\"k\":1,\"k\":2}")]
    [InlineData("{\"\":{\"\":{\"\":[[[[[]]]]]}}}")]
    [InlineData("{\"s\":\"\\ud800\",\"t\":\"\u2028\u2029\"}")]
    public void Documents_that_look_like_a_tail_stay_documents(string document)
    {
        foreach (var draft in new[] { new Draft(true, "x", document, false, document, 9, ""), new Draft(true, "x", document, true, document, 9, "a"), new Draft(false, "x", document, false, "", 9, "a") { Batch = (0, 2) } })
        {
            Assert.Equal(LineVerdict.Operation, Read(draft.Write(5, out _), 5, out var read));
            Assert.Equal(document, Samples.ToText(read.Prev));
            Assert.Equal(draft.IsSet ? document : "", Samples.ToText(read.Data));
            Assert.Equal(9, read.Clock);
        }
    }

    [Fact]
    public void A_document_of_a_megabyte_and_a_thousand_levels_is_no_problem()
    {
        var large = "{\"a\":\"" + new string('x', 1 << 20) + "\",\"b\":" + new string('[', 900) + new string(']', 900) + "}";
        Assert.Equal(LineVerdict.Operation, Read(new Draft(true, "x", large, false, large, 1, "").Write(1L << 40, out _), 1L << 40, out var read));
        Assert.Equal(large.Length, read.Data.Length);
        Assert.Equal(large.Length, read.Prev.Length);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{}")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":,\"clock\":1")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":{\"data\":{},\"clock\":1")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":9007199254740992")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":-1")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":01")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":1,\"agent\":\"\"")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":1,\"batch\":[2,2]")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":1,\"undo\":{\"of\":[1,\"\"],\"to\":null}")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":1,\"undo\":null")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":1,\"moved\":[1,\"a\",\"b\"")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":1,\"segment\":5")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"delete\",\"id\":\"x\",\"prev\":,\"clock\":1")]
    [InlineData("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"move\",\"id\":\"x\",\"prev\":{},\"clock\":1")]
    [InlineData("{\"ts\":\"2026-11-23\",\"op\":\"set\",\"id\":\"x\",\"prev\":null,\"data\":{},\"clock\":1")]
    public void A_line_of_another_shape_is_refused_though_its_checksum_holds(string open)
        => Assert.Equal(LineVerdict.Corrupt, Read(Seal(open, 8), 8, out _));

    [Fact]
    public void Members_of_a_later_version_are_skipped()
    {
        var line = Seal("""{"ts":"2026-11-23T06:16:05.123Z","op":"set","id":"x","prev":null,"data":{},"clock":1,"later":{"a":[",\"crc\":"]},"batch":[1,3],"more":"x" """.TrimEnd(), 8);
        Assert.Equal(LineVerdict.Operation, Read(line, 8, out var read));
        Assert.Equal((1, 3), (read.BatchIndex, read.BatchSize));
    }

    [Fact]
    public void No_bytes_make_the_reader_throw()
        => Gen.Select(AnyDraft, Gen.Int[0, 10000], Gen.Byte.Array[0, 12], Gen.Bool).Sample((draft, place, bytes, seal) =>
        {
            // Overwrite some bytes of a good line; half the time give it a checksum that holds.
            var line = draft.Write(3, out _);
            for (var i = 0; i < bytes.Length; i++) line[(place + i) % line.Length] = bytes[i];
            if (seal && line.Length > JsonLines.ChecksumTail) line = Seal(line[..^JsonLines.ChecksumTail], 3);
            if (Read(line, 3, out var read) != LineVerdict.Operation) return;
            read.Id();
            read.Agent();
            read.MarkOf();
            read.MarkTo();
            read.Moved();
            read.Segment();
            Assert.InRange(read.DataEnd, read.DataStart, line.Length);
            Assert.InRange(read.PrevEnd, read.PrevStart, line.Length);
        }, iter: 3000);

    [Fact]
    public void Reading_and_writing_allocate_nothing()
    {
        var line = new Draft(true, "task-1", "{\"a\":1,\"b\":[1,2]}", false, "{\"a\":2}", 1, "alpha") { Batch = (0, 2) }.Write(0, out _);
        var buffer = new byte[1000];
        var time = Samples.Utf8(Time);
        void Both()
        {
            Assert.True(OperationCodec.TryRead(line, 0, false, out var read, out _) == LineVerdict.Operation);
            OperationCodec.Write(buffer, new OperationDraft { Timestamp24 = time, IdWtf8 = read.RawId, Prev = read.Prev, Data = read.Data, Clock = 1 }, 7, out _);
        }

        Both();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Both();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static byte[] Seal(string open, long offset) => Seal(Samples.Utf8(open), offset);

    private static byte[] Seal(byte[] open, long offset) => [.. open, .. Samples.Utf8($",\"crc\":\"{JsonLines.Hex(JsonLines.Checksum(open, offset))}\"}}")];
}
