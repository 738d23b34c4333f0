using Microsoft.Extensions.Options;

namespace OpsLog.Extensions;

/// <summary>Refuses options that a store would refuse, before anything is opened.</summary>
internal sealed class OpsLogOptionsCheck(string optionsName, string registration) : IValidateOptions<OpsLogOptions>
{
    public ValidateOptionsResult Validate(string? name, OpsLogOptions options)
    {
        if (!string.Equals(name, optionsName, StringComparison.Ordinal)) return ValidateOptionsResult.Skip;
        var failures = new List<string>();
        if (string.IsNullOrWhiteSpace(options.Location) == options.Storage is null)
            failures.Add($"{registration}: set either {nameof(OpsLogOptions.Location)} or {nameof(OpsLogOptions.Storage)}.");
        try
        {
            options.Store.Validate();
        }
        catch (ArgumentException e)
        {
            failures.Add($"{registration}: {e.Message}");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
