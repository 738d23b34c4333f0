using Microsoft.Extensions.Configuration;
using OpsLog.Storage;

namespace OpsLog.Extensions;

/// <summary>Which store an application has, and how it is opened. Read once, when the host starts.</summary>
public sealed class OpsLogOptions
{
    /// <summary>
    /// Where the store is: a folder's path, or the URI of a storage. A relative path counts from the host's content root; without a host, from the
    /// working directory. Either this or <see cref="Storage"/> is needed.
    /// </summary>
    public string? Location { get; set; }

    /// <summary>Makes the storage, instead of <see cref="Location"/>. Called once; the storage is disposed behind the store. Default <see langword="null"/>.</summary>
    public Func<IServiceProvider, IOpsStorage>? Storage { get; set; }

    /// <summary>
    /// How the store is opened. What is not set comes from the container: <see cref="OpsStoreOptions.LoggerFactory"/>, <see cref="OpsStoreOptions.TimeProvider"/>,
    /// and <see cref="OpsStoreOptions.Name"/> from the registration.
    /// </summary>
    public OpsStoreOptions Store { get; } = new();

    /// <summary>
    /// Sets what a section of the configuration holds: <c>Location</c> and the settings of <see cref="OpsStoreOptions"/> by their names, one level for both
    /// (docs/hosting.md lists the keys). A key that is not known is an error.
    /// </summary>
    /// <param name="section">The section.</param>
    /// <exception cref="ArgumentException">A key is not known, or a value is none of its kind; the message names it.</exception>
    public void Bind(IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        OpsLogOptionsBinder.Bind(section, this);
    }
}
