using System.Text;
using CsCheck;
using OpsLog.Cli;
using OpsLog.Cli.Apply;
using Xunit;

namespace OpsLog.Tests.Cli;

public class LineReaderTests
{
    [Fact]
    public async Task A_text_is_read_as_its_lines_however_it_arrives_in_pieces()
    {
        await Gen.Select(Gen.String[Gen.Char["ab\n\r"], 0, 60], Gen.Int[1, 9], Gen.Int[1, 12]).SampleAsync(async (text, piece, size) =>
        {
            var expected = text.Split('\n').ToList();
            if (expected[^1].Length == 0) expected.RemoveAt(expected.Count - 1);
            return expected.SequenceEqual(await ReadAsync(Encoding.UTF8.GetBytes(text), piece, size));
        }, iter: 500);
    }

    [Fact]
    public async Task A_line_longer_than_the_buffer_is_read_whole()
    {
        var line = new string('x', 5000);
        Assert.Equal([line, "y"], await ReadAsync(Encoding.UTF8.GetBytes(line + "\ny"), 700, 16));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(100)]
    public async Task A_line_longer_than_can_be_held_is_refused_with_its_number(int piece)
    {
        Assert.Equal(["a", "1234567", "7654321"], await ReadAsync("a\n1234567\n7654321"u8.ToArray(), piece, 2, most: 8));
        var refused = await Assert.ThrowsAsync<InputLineException>(() => ReadAsync("a\n\n12345678\nb\n"u8.ToArray(), piece, 2, most: 8));
        Assert.Equal((3, ExitCode.Usage), (refused.Line, ExitCode.Of(refused)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public async Task A_byte_order_mark_is_dropped_at_the_very_start_only(int piece)
    {
        Assert.Equal(["a", "\uFEFFb"], await ReadAsync(Encoding.UTF8.GetBytes("\uFEFFa\n\uFEFFb\n"), piece, 64));
    }

    [Fact]
    public async Task A_wait_for_input_that_never_comes_can_be_cancelled()
    {
        using var stop = new CancellationTokenSource();
        var reader = new LineReader(new SilentStream());
        var fill = reader.FillAsync(stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fill);
    }

    private static async Task<List<string>> ReadAsync(byte[] bytes, int piece, int size, int most = int.MaxValue)
    {
        var reader = new LineReader(new PiecewiseStream(bytes, piece), size, most);
        var lines = new List<string>();
        do
        {
            while (reader.TryRead(out var line)) lines.Add(Encoding.UTF8.GetString(line.Span));
        }
        while (await reader.FillAsync(CancellationToken.None));
        return lines;
    }

    /// <summary>Gives at most a few bytes at a time, as a pipe may.</summary>
    private sealed class PiecewiseStream(byte[] bytes, int piece) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(piece, buffer.Length)], cancellationToken);
    }

    /// <summary>A pipe that nobody writes to, and whose reads know no cancellation.</summary>
    private sealed class SilentStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            new(new TaskCompletionSource<int>().Task);
    }
}
