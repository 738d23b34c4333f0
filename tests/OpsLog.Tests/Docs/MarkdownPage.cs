namespace OpsLog.Tests.Docs;

/// <summary>A block of code on a page, without its fences.</summary>
internal sealed record CodeBlock(string Section, string Language, IReadOnlyList<string> Lines);

/// <summary>A row of a table on a page.</summary>
internal sealed record TableRow(string Section, IReadOnlyList<string> Cells);

/// <summary>As much of Markdown as the tests of the pages need.</summary>
internal sealed class MarkdownPage
{
    private readonly List<CodeBlock> _blocks = [];
    private readonly List<TableRow> _rows = [];
    private readonly List<string> _headings = [];
    private readonly List<string> _prose = [];

    public MarkdownPage(string file)
    {
        string? language = null;
        var code = new List<string>();
        foreach (var line in Repository.Read(file).ReplaceLineEndings("\n").Split('\n'))
        {
            if (!line.TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                if (language is null) Prose(line);
                else code.Add(line);
            }
            else if (language is null)
            {
                language = line.Trim().Trim('`');
            }
            else
            {
                _blocks.Add(new CodeBlock(Section, language, [.. code]));
                language = null;
                code.Clear();
            }
        }
    }

    public IReadOnlyList<CodeBlock> Blocks => _blocks;

    /// <summary>The rows of all tables, without headings and rules.</summary>
    public IReadOnlyList<TableRow> Rows => _rows;

    public IReadOnlyList<string> Headings => _headings;

    /// <summary>The lines outside code blocks.</summary>
    public IReadOnlyList<string> ProseLines => _prose;

    private string Section => _headings.Count == 0 ? "" : _headings[^1];

    private void Prose(string line)
    {
        _prose.Add(line);
        if (line.StartsWith('#')) _headings.Add(line.TrimStart('#').Trim());
        if (!line.StartsWith('|')) return;
        var cells = line.Trim().Trim('|').Split('|').Select(c => c.Trim()).ToList();
        if (_prose.Count > 1 && _prose[^2].StartsWith('|') && cells.All(c => c.Trim('-', ':').Length > 0)) _rows.Add(new TableRow(Section, cells));
    }
}
