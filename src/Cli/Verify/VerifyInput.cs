using System.Runtime.CompilerServices;
using Migration;
using Migration.Import;
using Migration.Journal;
using Migration.Verify;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;

namespace Cli.Verify;

/// <summary>The devices to verify, streamed.</summary>
/// <param name="application">Application at the target; null: the one that journal or lines name.</param>
/// <param name="sourceApplication">Application at the old network, for a file; empty: the one that the lines name.</param>
internal sealed class VerifyInput(string? application, string sourceApplication)
{
    private readonly SortedSet<string> applications = new(StringComparer.Ordinal);

    /// <summary>Devices of a journal that are not on the other side, and need not be, by the reason.</summary>
    public SortedDictionary<string, long> LeftOut { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether devices left out may be on both sides.</summary>
    public bool HasOnBoth { get; private set; }

    /// <summary>The applications met, for people.</summary>
    public string Applications => applications.Count > 0 ? string.Join(", ", applications) : application ?? "no application";

    /// <summary>The devices of a file.</summary>
    /// <exception cref="TtsJsonException">The file is not JSON at some place; the devices before it were given.</exception>
    public async IAsyncEnumerable<SentDevice> FileAsync(Stream stream, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var line in new DeviceJsonReader(stream).ReadAsync(cancellation))
        {
            var source = line.Device is { } device ? SourceNameOf(device) : null;
            yield return Sent(line.Index, line.Line, line.Device, line.Problem, application) with { AtSource = source };
        }
    }

    /// <summary>The devices of a journal that have a line, in its order.</summary>
    public async IAsyncEnumerable<SentDevice> JournalAsync(JournalReader journal, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var index = 0L;
        await foreach (var name in journal.NamesAsync(onlyWritten: false, cancellation))
        {
            JournalEntry? entry = null;
            Failure? damage = null;
            try
            {
                entry = journal.Find(name);
            }
            catch (FailureException e)
            {
                damage = e.Failure;
            }
            if (entry is null)
            {
                // Its line cannot be trusted: all that is left is its name at the source.
                yield return new SentDevice(index++, 0, new EndDevice { Ids = new EndDeviceIdentifiers { DeviceId = name.DeviceId } }, damage ?? journal.DoesNotKnow(name.DeviceId));
                continue;
            }
            if (entry.SourceSide == SourceSide.Restored || entry.Line is not { } text)
            {
                var onBoth = entry is { SourceSide: SourceSide.Restored, TargetSide: not TargetSide.Unknown };
                HasOnBoth |= onBoth;
                var reason = onBoth ? "put back at the source and not removed from The Things Stack, as far as the journal knows: `rollback` with --default-grpc-address removes them there"
                    : entry.SourceSide == SourceSide.Restored ? "put back at the source"
                    : "not exported";
                LeftOut[reason] = LeftOut.GetValueOrDefault(reason) + 1;
                continue;
            }
            EndDevice? device = null;
            TtsJsonException? problem = null;
            try
            {
                device = TtsJson.Read<EndDevice>(text.Span);
            }
            catch (TtsJsonException e)
            {
                problem = e;
            }
            var history = journal.History(entry.Device);
            var imported = history.LastOrDefault(static step => step.State == DeviceState.Imported);
            yield return Sent(index++, 0, device, problem, application ?? ImportTarget.Of(history.LastOrDefault(static step => step.IsPlace)?.Detail)?.Application) with
            {
                Abp = ImportTarget.Of(imported?.Detail)?.Abp,
                Journal = entry.Device,
                ImportedAt = imported?.Time,
                AtSource = new SourceName(entry.Device.Application, entry.Device.DeviceId),
            };
        }
    }

    private SourceName? SourceNameOf(EndDevice device)
    {
        var from = sourceApplication.Length > 0 ? sourceApplication : device.Ids?.ApplicationIds?.ApplicationId;
        return string.IsNullOrEmpty(from)
            ? null
            : new SourceName(from, DeviceNaming.SourceIds(device));
    }

    private SentDevice Sent(long index, long line, EndDevice? device, TtsJsonException? problem, string? target)
    {
        if (device is not null)
        {
            device.Ids ??= new EndDeviceIdentifiers();
            if (target is not null)
                device.Ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = target };
            applications.Add(device.Ids.ApplicationIds?.ApplicationId ?? "");
        }
        var failure = problem is not null ? new Failure(problem.Message)
            : device!.Ids.DeviceId.Length == 0 ? new Failure("the device has no ID")
            : device.Ids.ApplicationIds is not { ApplicationId.Length: > 0 } ? new Failure("neither the device nor --application-id names an application")
            : null;
        return new SentDevice(index, line, device, failure);
    }
}
