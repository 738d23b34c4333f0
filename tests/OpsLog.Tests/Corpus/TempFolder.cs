namespace OpsLog.Tests.Corpus;

/// <summary>A folder that is gone with the test.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("opslog-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);

    /// <summary>Every file below a folder, by relative path with forward slashes.</summary>
    public static SortedDictionary<string, byte[]> Contents(string folder)
    {
        var result = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
            result.Add(System.IO.Path.GetRelativePath(folder, file).Replace('\\', '/'), Read(file));
        return result;
    }

    // A living store holds locks on some of its files, and .NET asks for one to read.
    private static byte[] Read(string file)
    {
        if (OperatingSystem.IsWindows()) return File.ReadAllBytes(file);
        using var handle = StorageTests.UnlockedFile.TryOpen(file) ?? throw new FileNotFoundException("The file cannot be opened.", file);
        var bytes = new byte[RandomAccess.GetLength(handle)];
        for (var read = 0; read < bytes.Length;) read += RandomAccess.Read(handle, bytes.AsSpan(read), read);
        return bytes;
    }

    public static void Copy(string from, string to)
    {
        foreach (var (path, bytes) in Contents(from))
        {
            var target = System.IO.Path.Combine(to, path);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            File.WriteAllBytes(target, bytes);
        }
    }
}
