namespace OpsLog.Storage;

/// <summary>What storages without notices answer when they are asked for one.</summary>
internal static class StorageChanges
{
    /// <summary>Never completes.</summary>
    public static Task None { get; } = new TaskCompletionSource().Task;
}
