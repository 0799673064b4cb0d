namespace TheThingsStack.Errors;

/// <summary>
/// An expected failure as a value: what failed, why, and with which details. Printed in the stack format of
/// facts/cli-surface.md section 6; never holds key material.
/// </summary>
/// <param name="Message">What failed and why, one line.</param>
public sealed record Failure(string Message)
{
    private static readonly IReadOnlyDictionary<string, string> NoAttributes = new Dictionary<string, string>();

    /// <summary>Namespace of the error, e.g. <c>pkg/export</c> or <c>pkg/networkserver</c>; null for a plain failure (file, socket, gRPC status).</summary>
    public string? Namespace { get; init; }

    /// <summary>Name of the error within its namespace, e.g. <c>field_value</c>; null for a plain failure.</summary>
    public string? Name { get; init; }

    /// <summary>Details such as <c>device_id</c>, printed sorted by key.</summary>
    public IReadOnlyDictionary<string, string> Attributes { get; init; } = NoAttributes;

    /// <summary>Correlation ID given by a server, 32 hex digits; null when there is none.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>The failure behind this one.</summary>
    public Failure? Cause { get; init; }

    /// <summary>True when a server does not accept who asks: the key is wrong, or lacks a right.</summary>
    public bool NotAuthorised { get; init; }

    /// <summary>What the user can do next; null when the message says it.</summary>
    public string? Advice { get; init; }

    /// <summary>Gives the failure of this program with a namespace and a name that scripts may search for.</summary>
    /// <param name="package">Namespace without the common prefix, e.g. <c>export</c> or <c>source/ttnv2</c>.</param>
    /// <param name="name">Name, e.g. <c>no_app_id</c>.</param>
    /// <param name="message">Text, e.g. <c>no app id</c>.</param>
    public static Failure Named(string package, string name, string message) =>
        new(message) { Namespace = "go.thethings.network/lorawan-stack-migrate/pkg/" + package, Name = name };

    /// <summary>One line: <c>error:namespace:name (message)</c>, or the plain message.</summary>
    public override string ToString() => Namespace is null ? Message : $"error:{Namespace}:{Name} ({Message})";
}

/// <summary>Carries an expected <see cref="Errors.Failure"/> to the one place that prints it.</summary>
public class FailureException(Failure failure, Exception? inner = null) : Exception(failure.ToString(), inner)
{
    /// <summary>The failure.</summary>
    public Failure Failure { get; } = failure;
}
