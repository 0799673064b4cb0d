using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace TheThingsStack.Registries;

/// <summary>Looks whether the key of the calls has rights on an application, before anything is changed with it.</summary>
public static class ApplicationRights
{
    /// <summary>Says which of the needed rights the key lacks; null when it has all, or when the server is too old to say.</summary>
    /// <param name="identity">The Identity Server.</param>
    /// <param name="application">Application ID.</param>
    /// <param name="package">Namespace of the failure, e.g. <c>source/tts</c>.</param>
    /// <param name="needed">Rights.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="RegistryException">The call failed, e.g. the key is unknown or expired.</exception>
    public static async Task<Failure?> MissingAsync(
        IdentityServerClient identity, string application, string package, IReadOnlyCollection<Right> needed, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(identity);
        IReadOnlyCollection<Right> rights;
        try
        {
            // The key first: without a good one ListRights answers with an empty list.
            if ((await identity.GetAuthInfoAsync(cancellation)).IsAdmin)
                return null;
            rights = await identity.ListRightsAsync(application, cancellation);
        }
        catch (RegistryException e) when (e.IsUnimplemented)
        {
            return null;
        }
        var missing = rights.Contains(Right.ApplicationAll) || rights.Contains(Right.All) ? [] : needed.Where(right => !rights.Contains(right)).ToList();
        if (missing.Count == 0)
            return null;
        var names = string.Join(", ", missing.Select(NameOf));
        return Failure.Named(package, "missing_rights", $"the API key lacks rights on application `{application}` at {identity.Address}: {names}") with
        {
            Attributes = new Dictionary<string, string> { ["application_id"] = application, ["missing"] = names },
            Advice = rights.Count == 0
                ? "there is no such application at this cluster, or the key belongs to another one: check the application ID, and make a key in the Console under that application, API keys"
                : "nothing was changed; make an API key with these rights in the Console under the application, API keys",
            NotAuthorised = true,
        };
    }

    /// <summary>Name as the Console's documentation has it, such as RIGHT_APPLICATION_DEVICES_WRITE.</summary>
    private static string NameOf(Right right) =>
        EnumsReflection.Descriptor.EnumTypes.First(static type => type.Name == nameof(Right)).FindValueByNumber((int)right)?.Name ?? right.ToString();
}
