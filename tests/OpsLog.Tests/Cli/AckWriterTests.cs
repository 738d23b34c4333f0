using System.Text;
using OpsLog.Cli.Apply;
using Xunit;

namespace OpsLog.Tests.Cli;

public class AckWriterTests
{
    [Fact]
    public void Numbers_come_out_in_the_order_they_were_acknowledged_and_none_is_lost()
    {
        using var output = new MemoryStream();
        var acknowledgements = new AckWriter(output, atOnce: false);
        for (var line = 1; line <= 100_000; line++) acknowledgements.Add(line);
        acknowledgements.Flush();
        Assert.Equal(string.Concat(Enumerable.Range(1, 100_000).Select(n => $"{n}\n")), Encoding.ASCII.GetString(output.ToArray()));
    }

    [Fact]
    public void At_once_means_a_flush_for_each_number()
    {
        using var output = new CountingStream();
        var acknowledgements = new AckWriter(output, atOnce: true);
        for (var line = 1; line <= 5; line++)
        {
            acknowledgements.Add(line);
            Assert.Equal(line, output.Flushes);
        }
    }

    [Fact]
    public void A_batch_gives_the_numbers_of_all_its_lines()
    {
        using var output = new MemoryStream();
        new AckWriter(output, atOnce: false).AddAll([new(3, "a", null), new(4, "b", null), new(6, "c", null)]);
        Assert.Equal("3\n4\n6\n", Encoding.ASCII.GetString(output.ToArray()));
    }

    [Fact]
    public void Without_an_output_nothing_happens()
    {
        var acknowledgements = new AckWriter(null, atOnce: true);
        acknowledgements.Add(1);
        acknowledgements.AddAll([new(2, "a", null)]);
        acknowledgements.Flush();
    }

    [Fact]
    public async Task Callers_at_once_lose_no_number()
    {
        using var output = new MemoryStream();
        var acknowledgements = new AckWriter(output, atOnce: false);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(caller => Task.Run(() =>
        {
            for (var i = 0; i < 1000; i++) acknowledgements.Add((caller * 1000) + i);
        })));
        acknowledgements.Flush();
        var numbers = Encoding.ASCII.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse);
        Assert.Equal(Enumerable.Range(0, 8000), numbers.Order());
    }

    private sealed class CountingStream : MemoryStream
    {
        public int Flushes { get; private set; }

        public override void Flush() => Flushes++;
    }
}
