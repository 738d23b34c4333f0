namespace OpsLog.Format;

/// <summary>
/// Carries what is wrong with an object from deep in a reader to its entry point, which turns it into a result: it never leaves this
/// namespace.
/// </summary>
internal sealed class FormatFault(string message) : Exception(message);
