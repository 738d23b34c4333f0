namespace OpsLog.Compare;
internal static class Guard { public static Task<int> RunAsync(Settings settings, Workspace workspace) => Task.FromResult(2); }
