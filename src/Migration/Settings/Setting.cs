namespace Migration;

/// <summary>A value with where it came from, so that an error can say which flag or variable to change. Prints without the value.</summary>
/// <param name="Value">The value.</param>
/// <param name="Origin">Name of the flag or variable, e.g. <c>--app-id</c> or <c>TTNV2_APP_ID</c>; null for a default.</param>
public readonly record struct Setting<T>(T Value, string? Origin = null)
{
    /// <summary>True when the user said nothing.</summary>
    public bool IsDefault => Origin is null;

    /// <summary>Gives the origin only: the value may be a secret.</summary>
    public override string ToString() => Origin ?? "(default)";
}
