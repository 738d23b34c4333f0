using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Storage;

/// <summary>Goal: after a failed sync nothing is tried again or read back (F11): the system tells it once and forgets. Method: every reason a file system may give.</summary>
public sealed class SyncFaultTests
{
    public static TheoryData<int> Reasons => [5, 12, 13, 16, 27, 28, 30, 116, 122];

    [Theory]
    [MemberData(nameof(Reasons))]
    public void A_sync_that_failed_is_a_broken_medium_whatever_the_reason(int error)
    {
        var cause = new IOException("no", error);
        var failure = FileFaults.SyncFailed(cause, "store/ops/x");
        Assert.Equal((StorageFault.Broken, true), (failure.Fault, failure.OutcomeUnknown));
        Assert.Same(cause, failure.InnerException);
        Assert.Contains("store/ops/x", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_cannot_be_synced_is_one_too()
    {
        if (OperatingSystem.IsWindows()) return;
        var loop = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.CreateSymbolicLink(loop, loop); // a folder that is there and cannot be opened, for root too
        try
        {
            var failure = Assert.Throws<StorageException>(() => FileFolders.SyncFolderOf(Path.Combine(loop, "x")));
            Assert.Equal((StorageFault.Broken, true), (failure.Fault, failure.OutcomeUnknown));
        }
        finally
        {
            File.Delete(loop);
        }
    }
}
