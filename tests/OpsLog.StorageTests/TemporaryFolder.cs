namespace OpsLog.StorageTests;

/// <summary>A folder of a test's own, not made yet, removed with everything in it afterwards.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("opslog-test-").FullName;

    public TemporaryFolder() => Path = System.IO.Path.Combine(_parent, "store");

    /// <summary>The store's root: does not exist at first.</summary>
    public string Path { get; }

    /// <summary>A folder beside the store, to look for escapes.</summary>
    public string Outside => _parent;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(_parent, recursive: true);
}
