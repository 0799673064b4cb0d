using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace TheThingsStack.Registries;

/// <summary>The rights that the key of the calls has on an application, asked for before anything is done with it (facts/tts-api.md section 2).</summary>
public sealed class ApplicationRights
{
    private readonly string application;
    private readonly string server;
    private readonly IReadOnlyCollection<Right>? held;

    private ApplicationRights(string application, string server, IReadOnlyCollection<Right>? held) => (this.application, this.server, this.held) = (application, server, held);

    /// <summary>Asks the Identity Server. One that is too old to say counts as giving all: the calls themselves will tell.</summary>
    /// <exception cref="RegistryException">The call failed, e.g. the key is unknown or expired.</exception>
    public static async Task<ApplicationRights> AskAsync(IdentityServerClient identity, string application, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(identity);
        IReadOnlyCollection<Right>? rights = null;
        try
        {
            // The key first: without a good one ListRights answers with an empty list.
            if (!(await identity.GetAuthInfoAsync(cancellation)).IsAdmin)
                rights = await identity.ListRightsAsync(application, cancellation);
        }
        catch (RegistryException e) when (e.IsUnimplemented)
        {
        }
        return new ApplicationRights(application, identity.Address.ToString(), rights);
    }

    /// <summary>Whether the key has a right, as far as is known.</summary>
    public bool Has(Right right) => held is null || held.Contains(right) || held.Contains(Right.ApplicationAll) || held.Contains(Right.All);

    /// <summary>Says which rights the key lacks; null when it has all.</summary>
    /// <param name="package">Namespace of the failure, e.g. <c>import</c>.</param>
    /// <param name="needed">Rights.</param>
    public Failure? Missing(string package, params IEnumerable<Right> needed)
    {
        if (needed.Where(right => !Has(right)).ToList() is not { Count: > 0 } missing)
            return null;
        var names = string.Join(", ", missing.Select(NameOf));
        return (held!.Count == 0
            ? Failure.Named(package, "no_application_rights", $"the API key has no rights on application `{application}` at {server}") with
            {
                Advice = "there is no such application at this cluster, or the key belongs to another one: check the application ID, and make a key in the Console under that application, API keys",
            }
            : Failure.Named(package, "missing_rights", $"the API key lacks rights on application `{application}` at {server}: {names}") with
            {
                Advice = "make an API key with these rights in the Console under the application, API keys",
            }) with
        {
            Attributes = new Dictionary<string, string> { ["application_id"] = application, ["missing"] = names },
            NotAuthorised = true,
        };
    }

    /// <summary>Name as the Console's documentation has it, such as RIGHT_APPLICATION_DEVICES_WRITE.</summary>
    private static string NameOf(Right right) =>
        EnumsReflection.Descriptor.EnumTypes.First(static type => type.Name == nameof(Right)).FindValueByNumber((int)right)?.Name ?? right.ToString();
}
