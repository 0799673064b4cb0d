using Cli.CommandLine;
using Cli.Imports;
using Cli.Networks;
using Microsoft.Extensions.Logging;
using Migration.Import;
using Rpc;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Cli.Commands;

/// <summary>
/// <c>SOURCE application APP --import-to APP2</c>: each device is imported before it is retired at its source. The flags are those of
/// <c>import</c> with <c>import-</c> before them.
/// </summary>
internal sealed class StraightThrough : IAsyncDisposable
{
    private const string ImportTo = "import-to";
    private const string Prefix = "import-";
    private const int TlsPort = 8884;
    private const int PlainPort = 1884;

    private static readonly TargetFlags Target = new(Prefix);

    private readonly ClusterClient cluster;

    private StraightThrough(ClusterClient cluster, FormerDevicesFile? former, Importer importer)
    {
        this.cluster = cluster;
        Former = former;
        Importer = importer;
    }

    /// <summary>Brings devices to the target.</summary>
    public Importer Importer { get; }

    /// <summary>Keeps devices of the target that are replaced; null when none is.</summary>
    public FormerDevicesFile? Former { get; }

    /// <summary>Makes the flags.</summary>
    public static IReadOnlyList<Flag> Flags() =>
    [
        new(ImportTo, FlagKind.Text, "Import each device into this application of The Things Stack before it is retired here") { Addition = true },
        .. Target.All(),
        .. ImportFlags.All(Prefix),
    ];

    /// <summary>Whether devices go straight through.</summary>
    /// <exception cref="UsageException">A flag about the target is given, but no application.</exception>
    public static bool IsGiven(FlagValues flags)
    {
        if (flags.TextOrNull(ImportTo) is not null)
            return true;
        if (Flags().FirstOrDefault(flag => flags.Origin(flag.Target) == FlagOrigin.CommandLine) is { } lonely)
            throw new UsageException($"--{lonely.Name} is about the target of an import: name its application with --{ImportTo}");
        return false;
    }

    /// <summary>Reads the flags; calls no one.</summary>
    /// <exception cref="UsageException">A flag is missing, or its value is none.</exception>
    /// <exception cref="FailureException">The key cannot be used, or source and target are one cluster.</exception>
    public static StraightThrough Open(Invocation invocation, SourceDefinition source, SourceFlags sourceFlags, ILogger log)
    {
        var (environment, flags) = (invocation.Environment, invocation.Flags);
        if (source.Name == TtsNetwork.Name && Target.IsKeyFromEnvironment(flags))
            throw new UsageException($"{TargetFlags.KeyVariable} is the key of the source here: give that of the target with --{Prefix}app-api-key-file FILE");
        var concurrency = ImportFlags.ReadConcurrency(flags, Prefix, environment.Clock);
        var options = ImportFlags.Read(flags, Prefix, flags.Text(ImportTo)) with { DryRun = flags.IsOn(GlobalFlags.DryRun), NeedsToReadKeys = true };
        var target = Target.Read(invocation, log, concurrency);
        if (source.TheThingsStackAddresses(sourceFlags).FirstOrDefault(address => IsOf(address, target.Addresses)) is { } shared)
            throw new FailureException(OneCluster(shared));
        var client = new ClusterClient(target);
        var former = options is { OnConflict: ConflictWay.Replace, DryRun: false } ? new FormerDevicesFile(ImportCommand.FormerPath(environment, options.Application)) : null;
        return new StraightThrough(client, former, new Importer(client, options, FrequencyPlanFlags.Open(flags, environment), concurrency, environment.Clock) { Former = former });
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        if (Former is not null)
            await Former.DisposeAsync();
    }

    /// <summary>The command that looks whether the devices have arrived.</summary>
    public static string Verify(Invocation invocation, string journal)
    {
        var line = $"{invocation.Command.Root.Name} verify --journal {Output.NextCommand.Shell(journal)}";
        foreach (var flag in Target.All().Concat(ImportFlags.Abp(Prefix)).Where(static flag => !flag.Secret))
        {
            if (invocation.Flags.Origin(flag.Target) == FlagOrigin.CommandLine)
                line += $" --{flag.Name[Prefix.Length..]}{(flag.Kind == FlagKind.Switch ? $"={invocation.Flags.Text(flag.Target)}" : " " + Output.NextCommand.Shell(invocation.Flags.Text(flag.Target)))}";
        }
        return line.Replace("=true", "", StringComparison.Ordinal);
    }

    /// <summary>The same address, or the other one of the two usual ports of the same host: with TLS and without.</summary>
    private static bool IsOf(string address, ClusterAddresses target) =>
        HostPort.TryParse(address, out var source, out _)
        && target.Distinct().Any(t => t.Host.Equals(source.Host, StringComparison.OrdinalIgnoreCase)
            && (t.Port == source.Port || (t.Port is TlsPort or PlainPort && source.Port is TlsPort or PlainPort)));

    private static Failure OneCluster(string address) =>
        Failure.Named("import", "one_cluster", $"source and target are the same cluster, {address}: it takes a pair of JoinEUI and DevEUI only once, so that a device cannot be there before it is deleted") with
        {
            Advice = $"export with --delete-source-device and without --{ImportTo}, then `ttn-lw-migrate import devices.json` into the other application; the journal keeps the keys meanwhile",
        };
}
