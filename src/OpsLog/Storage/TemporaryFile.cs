using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>
/// A file under a temporary name that is to become an object. Kept open until it has: an open one has a living owner and is not swept.
/// </summary>
internal sealed class TemporaryFile : IDisposable
{
    private const int BufferSize = 128 << 10;
    private bool _moved;

    private TemporaryFile(string path, SafeFileHandle handle) => (Path, Handle) = (path, handle);

    public string Path { get; }

    public SafeFileHandle Handle { get; }

    /// <summary>Makes an empty file beside the one it is to become.</summary>
    /// <param name="target">The path it is to get.</param>
    /// <param name="nonces">Makes the random part of its name.</param>
    /// <param name="share">How others may open it meanwhile.</param>
    public static TemporaryFile Create(string target, FileNonces nonces, FileShare share)
    {
        var folder = System.IO.Path.GetDirectoryName(target)!;
        while (true)
        {
            var path = System.IO.Path.Combine(folder, FileNames.Temporary(System.IO.Path.GetFileName(target), nonces.Next()));
            try
            {
                return new TemporaryFile(path, File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, share));
            }
            catch (IOException e) when (FileFaults.IsTaken(e))
            {
                // Another process drew the same nonce (the same seed, in tests): draw again.
            }
        }
    }

    /// <summary>Copies a stream into the file.</summary>
    public async ValueTask WriteAsync(Stream content, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            long length = 0;
            while (await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is var count and > 0)
            {
                try
                {
                    RandomAccess.Write(Handle, buffer.AsSpan(0, count), length);
                }
                catch (Exception e) when (FileFaults.IsFault(e))
                {
                    throw FileFaults.Translate(e, "write", Path);
                }

                length += count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Gives the file its name, whatever had it before.</summary>
    public async ValueTask ReplaceAsync(string target, TimeProvider time)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                File.Move(Path, target, overwrite: true);
                _moved = true;
                return;
            }
            catch (Exception e) when (OperatingSystem.IsWindows() && attempt < 10 && FileFaults.IsFault(e) && File.Exists(target))
            {
                // A scanner or a reader without delete sharing holds the target for a moment (Windows only).
                await Task.Delay(TimeSpan.FromMilliseconds(10 * attempt), time).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Gives the file its name if no file has it, atomically.</summary>
    public LinkResult TryPlace(string target)
    {
        if (!OperatingSystem.IsWindows()) return UnixFiles.TryLink(Path, target); // the temporary name goes at disposal
        try
        {
            File.Move(Path, target, overwrite: false);
            _moved = true;
            return LinkResult.Linked;
        }
        catch (IOException e) when (FileFaults.IsTaken(e))
        {
            return LinkResult.Exists;
        }
    }

    /// <summary>Gives up the temporary name while keeping the file open, for a file that has got another name.</summary>
    public void DropName()
    {
        if (_moved) return;
        _moved = true;
        try
        {
            File.Delete(Path);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            // What matters is done or has failed with its own exception; a later sweep takes the leftover.
        }
    }

    public void Dispose()
    {
        DropName();
        Handle.Dispose();
    }
}

/// <summary>The random part of temporary names and of lock marks.</summary>
internal sealed class FileNonces(Random? random)
{
    /// <summary>16 lower-case hex digits.</summary>
    public string Next()
    {
        Span<byte> bytes = stackalloc byte[8];
        if (random is null) System.Security.Cryptography.RandomNumberGenerator.Fill(bytes);
        else
            lock (random) random.NextBytes(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
