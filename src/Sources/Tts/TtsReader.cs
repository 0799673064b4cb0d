using System.Collections.Concurrent;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Migration;
using Sources.Tts.Api;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Sources.Tts;

/// <summary>Reads devices from the four servers at once.</summary>
internal sealed partial class TtsReader(ITtsServers servers, TimeProvider clock, ILogger log)
{
    /// <summary>Reads of a device whose session changes while it is read.</summary>
    private const int Reads = 3;

    /// <summary>Number of the last field of an end device that is known here; the profile's is a later one.</summary>
    private const int LastKnownField = 56;

    private static readonly TimeSpan BetweenReads = TimeSpan.FromMilliseconds(250);

    private readonly TtsMasks masks = new();
    private readonly ConcurrentDictionary<(string Application, string Id), Task<MACSettings>> profiles = new();

    /// <summary>
    /// Reads a device, from the Network and Application Server again while they show two different sessions (defect D22).
    /// </summary>
    /// <exception cref="DeviceNotFoundException">The Identity Server does not have it.</exception>
    /// <exception cref="FailureException">A server does not have it, or refuses; or a profile that it uses cannot be read.</exception>
    public async Task<TtsDevice> ReadAsync(string application, string id, CancellationToken cancellation)
    {
        var answers = await AskAsync(application, id, Enum.GetValues<TtsServer>(), cancellation);
        for (var read = 1; ; read++)
        {
            if (answers[TtsServer.Identity] is { Failure: { } unknown })
                throw new DeviceNotFoundException(unknown.Failure, unknown);
            // Only a device that never joins has no record at the Join Server; whether it joins, the Network Server says (defect D4).
            if ((answers.GetValueOrDefault(TtsServer.Application)?.Failure ?? answers.GetValueOrDefault(TtsServer.Network)?.Failure) is { } missing)
                throw new FailureException(missing.Failure with { Advice = Incomplete }, missing);
            if (read == Reads || TtsMerge.IsOneSession(Session(TtsServer.Network), Session(TtsServer.Application)))
                break;
            LogTwoSessions(log, id);
            await Task.Delay(BetweenReads, clock, cancellation);
            foreach (var (server, answer) in await AskAsync(application, id, [TtsServer.Application, TtsServer.Network], cancellation))
                answers[server] = answer;
        }
        var profile = answers.TryGetValue(TtsServer.Network, out var network) ? await ProfileAsync(network.Device!, cancellation) : null;
        var records = answers.Where(a => a.Value.Device is not null).ToDictionary(a => a.Key, a => a.Value.Device!);
        return TtsDevice.Create(application, id, records, profile, answers.OrderBy(a => a.Key).SelectMany(a => a.Value.Warnings).Distinct(StringComparer.Ordinal));

        Session? Session(TtsServer server) => answers.GetValueOrDefault(server)?.Device?.Session;
    }

    /// <summary>Reads what is left of a device, also when some servers no longer have it.</summary>
    /// <exception cref="FailureException">A server refuses.</exception>
    public async Task<TtsDevice> ReadRemainsAsync(string application, string id, CancellationToken cancellation)
    {
        var answers = await AskAsync(application, id, Enum.GetValues<TtsServer>(), cancellation);
        return TtsDevice.Create(application, id, answers.Where(a => a.Value.Device is not null).ToDictionary(a => a.Key, a => a.Value.Device!), null, []);
    }

    private const string Incomplete =
        "this server has no record of the device, so it was registered only in part; complete it at the source, or delete it there";

    private async Task<Dictionary<TtsServer, Answer>> AskAsync(string application, string id, IEnumerable<TtsServer> which, CancellationToken cancellation)
    {
        var ids = new EndDeviceIdentifiers { DeviceId = id, ApplicationIds = new ApplicationIdentifiers { ApplicationId = application } };
        var asked = which.Where(servers.Has).ToArray();
        // A refusal by one server must not leave calls to the others unobserved.
        var answers = await Task.WhenAll(asked.Select(server => AskAsync(server, ids, cancellation)));
        foreach (var answer in answers)
        {
            if (answer.Failure is { IsNotFound: false } failure)
                throw TtsFailures.Of(failure);
        }
        return asked.Zip(answers).ToDictionary(pair => pair.First, pair => pair.Second);
    }

    private async Task<Answer> AskAsync(TtsServer server, EndDeviceIdentifiers ids, CancellationToken cancellation)
    {
        while (true)
        {
            var paths = masks.For(server);
            try
            {
                var answer = await servers.GetAsync(server, ids, paths, cancellation);
                return new Answer(answer.Device, null, answer.Warnings);
            }
            catch (RegistryException e) when (masks.Drop(server, RegistryErrors.ForbiddenPaths(e), paths))
            {
                // Profiles came with 3.33: most servers do not know them, and then devices have none.
                var lost = RegistryErrors.ForbiddenPaths(e).Where(static path => path != TtsMasks.ProfilePath).ToArray();
                if (lost.Length > 0)
                    LogDropped(log, server, string.Join(", ", lost));
            }
            catch (RegistryException e)
            {
                return new Answer(null, e, []);
            }
        }
    }

    /// <summary>The settings of the profile that a record names; each profile is asked for once.</summary>
    private async Task<MACSettings?> ProfileAsync(EndDevice network, CancellationToken cancellation)
    {
        if (!masks.For(TtsServer.Network).Contains(TtsMasks.ProfilePath, StringComparer.Ordinal) || FindProfile(network) is not { } ids)
            return null;
        var key = (ids.ApplicationIds?.ApplicationId ?? "", ids.ProfileId);
        try
        {
            return await profiles.GetOrAdd(key, static (_, a) => a.Reader.FetchProfileAsync(a.Ids), (Reader: this, Ids: ids)).WaitAsync(cancellation);
        }
        catch (RegistryException e)
        {
            profiles.TryRemove(key, out _);
            throw new FailureException(UnreadableProfile(ids.ProfileId) with { Cause = e.Failure }, e);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new FailureException(UnreadableProfile(ids.ProfileId) with { Cause = new Failure(e.Message) }, e);
        }
    }

    private async Task<MACSettings> FetchProfileAsync(ProfileIdentifiers ids)
    {
        var profile = await servers.GetProfileAsync(ids, CancellationToken.None);
        // The numbers of these fields come from no recorded server: an answer that does not name the profile is not understood.
        if (profile.Ids?.ProfileId != ids.ProfileId)
            throw new FailureException(UnreadableProfile(ids.ProfileId));
        return MACSettings.Parser.ParseFrom(profile.MacSettings);
    }

    /// <summary>
    /// Finds the identifiers of a profile in the fields of the answer that are not known here. Nothing else was asked for that could be there.
    /// </summary>
    /// <exception cref="FailureException">There is something that is not understood: the settings would be lost.</exception>
    internal static ProfileIdentifiers? FindProfile(EndDevice device)
    {
        using var input = new CodedInputStream(device.ToByteArray());
        while (input.ReadTag() is not 0 and var tag)
        {
            if (WireFormat.GetTagFieldNumber(tag) <= LastKnownField)
            {
                input.SkipLastField();
                continue;
            }
            if (WireFormat.GetTagWireType(tag) != WireFormat.WireType.LengthDelimited)
                throw new FailureException(UnreadableProfile("?"));
            var bytes = input.ReadBytes();
            if (bytes.IsEmpty)
                continue;
            ProfileIdentifiers ids;
            try
            {
                ids = ProfileIdentifiers.Parser.ParseFrom(bytes);
            }
            catch (InvalidProtocolBufferException e)
            {
                throw new FailureException(UnreadableProfile("?"), e);
            }
            return ids.ProfileId.Length > 0 ? ids : throw new FailureException(UnreadableProfile("?"));
        }
        return null;
    }

    private static Failure UnreadableProfile(string id) =>
        Failure.Named("source/tts", "mac_settings_profile", $"the device uses the MAC settings profile `{id}`, which cannot be read") with
        {
            Attributes = new Dictionary<string, string> { ["profile_id"] = id },
            Advice = "take the profile off the device at the source, which copies its settings into the device, and export it again",
        };

    private sealed record Answer(EndDevice? Device, RegistryException? Failure, IReadOnlyList<string> Warnings);

    [LoggerMessage(LogLevel.Warning, "the {Server} Server is of a version that does not know {Paths}: these fields are not exported")]
    private static partial void LogDropped(ILogger log, TtsServer server, string paths);

    [LoggerMessage(LogLevel.Debug, "device {Device}: Network and Application Server show different sessions, reading again")]
    private static partial void LogTwoSessions(ILogger log, string device);
}
