namespace OpsLog.Simulation.Run;

/// <summary>
/// The runtime's thread pool, with all its threads held. Two calls at once on one opening meet at semaphores and in the queue of writes, which hand on to the pool: here that waits until the
/// simulator lets it run, one after the other on one thread, while the simulator's own waits. So a run stays the same run every time, and no two pieces of it run at once.
/// Of the whole process, and for good: nothing else that needs the pool may run in it.
/// </summary>
internal static class HeldPool
{
    private const int MostThreads = 32;
    private static readonly SemaphoreSlim s_run = new(0);
    private static readonly SemaphoreSlim s_hasRun = new(0);
    private static readonly SemaphoreSlim s_never = new(0);
    private static readonly WaitCallback s_last = static _ => Last();

    /// <summary>Whether <see cref="Hold"/> was called.</summary>
    public static bool IsHeld { get; private set; }

    /// <summary>Whether what was handed to the pool runs just now.</summary>
    public static bool IsRunning { get; private set; }

    /// <summary>Takes all threads of the pool. From a thread that is none of them.</summary>
    public static void Hold()
    {
        if (IsHeld) return;
        var threads = Environment.ProcessorCount;
        ThreadPool.GetMaxThreads(out _, out var ports);
        if (threads > MostThreads) throw new InvalidOperationException($"Above {MostThreads} processors the pool has several queues, and no order: set DOTNET_PROCESSOR_COUNT.");
        if (Thread.CurrentThread.IsThreadPoolThread || !ThreadPool.SetMaxThreads(threads, ports)) throw new InvalidOperationException("The threads of the pool cannot be held from here.");
        using var held = new CountdownEvent(threads - 1);
        for (var i = 1; i < threads; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    held.Signal();
                    s_never.Wait();
                },
                null);
        }

        if (!held.Wait(TimeSpan.FromMinutes(1))) throw new InvalidOperationException("Not all threads of the pool could be held.");
        IsHeld = true;
        ThreadPool.UnsafeQueueUserWorkItem(s_last, null);
        s_hasRun.Wait();
    }

    /// <summary>Runs what was handed to the pool, and what that hands to it, to the end.</summary>
    public static void RunWhatIsQueued()
    {
        if (ThreadPool.PendingWorkItemCount == 0) return;
        IsRunning = true;
        s_run.Release();
        if (!s_hasRun.Wait(TimeSpan.FromMinutes(1))) throw new InvalidOperationException("What was handed to the pool does not end: it waits for something with its thread.");
        IsRunning = false;
    }

    // Holds the one thread that is left, and when that is to run what is queued, lines up behind it: what a thread of the pool queues for itself comes before.
    private static void Last()
    {
        if (ThreadPool.PendingWorkItemCount == 0)
        {
            s_hasRun.Release();
            s_run.Wait();
        }

        ThreadPool.UnsafeQueueUserWorkItem(s_last, null);
    }
}
