using System.Buffers;
using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary><c>rm</c>: deletes records.</summary>
internal sealed class RmVerb : WritingVerb
{
    private readonly Argument<string[]> _ids = new("ID") { Description = "The records' ids.", Arity = ArgumentArity.OneOrMore };

    public RmVerb(CliStreams streams)
        : base("rm", "Deletes records, each on its own. Exit 1 if none of them was there.", streams) => Add(_ids);

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenAsync(arguments, create: false, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        var removed = 0;
        foreach (var id in arguments.GetRequiredValue(_ids))
        {
            var wasThere = await opened.Store.DeleteAsync(id, cancellationToken: cancellationToken).ConfigureAwait(false);
            if (wasThere) removed++;
            Write(results, id, wasThere);
        }

        return removed > 0 ? ExitCode.Done : ExitCode.NothingToDo;
    }

    private static void Write(Results results, string id, bool wasThere)
    {
        if (results.Json)
        {
            results.Bytes.Write("{\"id\":"u8);
            JsonText.WriteString(results.Bytes, id);
            results.Bytes.Write(wasThere ? ",\"deleted\":true}\n"u8 : ",\"deleted\":false}\n"u8);
        }
        else
        {
            results.Columns((wasThere ? "deleted" : "absent", wasThere ? "red" : "grey"), (JsonText.Printable(id), "bold"));
        }
    }
}
