using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Mac;

namespace Sandbox.Tests.TheThingsStack;

public sealed partial class WireReplay
{
    /// <summary>Makes the stores such as they must have been before the call. True when that took the call's own answer.</summary>
    private bool Rebuild(WireRow row)
    {
        if (row.Ids is { } ids)
        {
            var id = DeviceId.Of(ids);
            if (row.Error.EndsWith(":end_device_euis_taken", StringComparison.Ordinal))
                return EuisAreTaken(row, id);
            if (row.Error == "pkg/util/store:id_taken")
                return Present(row, id, new EndDevice { Ids = Plain(ids) });
            if (IsNotFound(row))
                return Absent(row.Server, id, row);
            if (row.Status != 0)
                return false;
            return row.Response switch
            {
                EndDevice device when row.Method.EndsWith("/Create", StringComparison.Ordinal) => FreeToCreate(row, id, device),
                EndDevice device when row.Method.EndsWith("/Set", StringComparison.Ordinal) && device.CreatedAt.Equals(device.UpdatedAt) => FreeToCreate(row, id, device),
                EndDevice device when !row.Method.EndsWith("/Get", StringComparison.Ordinal) => BeforeChange(row, id, device),
                EndDevice device => AsShown(row.Server, id, device, row),
                Empty => Present(row, id, new EndDevice { Ids = Plain(ids) }),
                _ => false,
            };
        }
        return row.Response is EndDevices devices && AsListed(row, devices);
    }

    private static bool IsNotFound(WireRow row) =>
        row.Status == 5 && row.Error is "pkg/identityserver/store:end_device_not_found" or "pkg/redis:not_found" || row.Error.EndsWith(":device_not_found", StringComparison.Ordinal);

    private static EndDeviceIdentifiers Plain(EndDeviceIdentifiers ids) =>
        new() { DeviceId = ids.DeviceId, ApplicationIds = ids.ApplicationIds, DevEui = ids.DevEui, JoinEui = ids.JoinEui };

    private EndDevice? Find(TtsServers server, DeviceId id)
    {
        var records = cluster.Device(id.Application, id.Device);
        return server switch
        {
            TtsServers.Identity => records.Identity,
            TtsServers.Network => records.Network,
            TtsServers.Application => records.Application,
            _ => records.Join,
        };
    }

    private void Put(TtsServers server, DeviceId id, EndDevice? record, string rule, WireRow row)
    {
        var records = cluster.Device(id.Application, id.Device);
        cluster.Put(id.Application, id.Device, server switch
        {
            TtsServers.Identity => records with { Identity = record },
            TtsServers.Network => records with { Network = record },
            TtsServers.Application => records with { Application = record },
            _ => records with { Join = record },
        });
        Rules[rule] = Rules.GetValueOrDefault(rule) + 1;
        // What the rows of a scenario wrote, the emulator has to know by itself.
        if (writtenBy.GetValueOrDefault((server, id)) == row.Scenario)
            Problems[row.Number] = $"{row}: the rule \"{rule}\" had to mend what the same scenario wrote to {id} on the {server} server";
        writtenBy.Remove((server, id));
        createdByRow.Remove((server, id));
    }

    /// <summary>Another device must have had the EUIs, as the error says.</summary>
    private bool EuisAreTaken(WireRow row, DeviceId id)
    {
        var fields = row.Details!.Attributes.Fields;
        var owner = new DeviceId(fields["application_id"].StringValue, fields["device_id"].StringValue);
        if (Find(row.Server, owner)?.Ids is { } held && held.DevEui == row.Ids!.DevEui && held.JoinEui == row.Ids.JoinEui)
            return false;
        if (Find(row.Server, id) is not null && id != owner)
            Put(row.Server, id, null, "a device that was refused its EUIs was not there", row);
        var ids = Plain(row.Ids!);
        ids.DeviceId = owner.Device;
        ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = owner.Application };
        Put(row.Server, owner, new EndDevice { Ids = ids }, "the device that an error names has the EUIs", row);
        return true;
    }

    private bool Present(WireRow row, DeviceId id, EndDevice device)
    {
        if (Find(row.Server, id) is not null)
            return false;
        Put(row.Server, id, device, "what was deleted or taken was there", row);
        return true;
    }

    private bool Absent(TtsServers server, DeviceId id, WireRow row)
    {
        if (Find(server, id) is { } record && (row.Ids!.DevEui.IsEmpty || row.Ids.DevEui == record.Ids.DevEui))
            Put(server, id, null, "what was not found was not there", row);
        return false;
    }

    /// <summary>What was created was not there, nor were its EUIs.</summary>
    private bool FreeToCreate(WireRow row, DeviceId id, EndDevice device)
    {
        if (Find(row.Server, id) is not null)
            Put(row.Server, id, null, "what was created was not there", row);
        if (device.Ids.JoinEui.IsEmpty || device.Ids.DevEui.IsEmpty)
            return false;
        foreach (var application in rows.Select(other => other.ApplicationId).OfType<string>().Distinct(StringComparer.Ordinal))
        {
            foreach (var other in cluster.DeviceIds(application, row.Server))
            {
                if (Find(row.Server, new DeviceId(application, other)) is { } record && record.Ids.DevEui == device.Ids.DevEui && record.Ids.JoinEui == device.Ids.JoinEui)
                    Put(row.Server, new DeviceId(application, other), null, "EUIs of what was created were free", row);
            }
        }
        return false;
    }

    /// <summary>The record as it was when it was last shown before the change.</summary>
    private bool BeforeChange(WireRow row, DeviceId id, EndDevice after)
    {
        if (Find(row.Server, id) is { CreatedAt: not null } known && IsSame(createdByRow.Contains((row.Server, id)), known.CreatedAt, after.CreatedAt))
            return false;
        var before = Shown(row.Server, id).Where(shown => shown.Device.CreatedAt.Equals(after.CreatedAt) && shown.Device.UpdatedAt < after.UpdatedAt)
            .Select(shown => shown.Device.UpdatedAt).OrderDescending().FirstOrDefault();
        Put(row.Server, id, Union(row.Server, id, after, before ?? after.CreatedAt), "what was changed was there", row);
        return true;
    }

    private bool AsShown(TtsServers server, DeviceId id, EndDevice device, WireRow row)
    {
        if (Find(server, id) is { CreatedAt: not null } known && IsSame(createdByRow.Contains((server, id)), known.CreatedAt, device.CreatedAt)
            && IsSame(writtenBy.ContainsKey((server, id)), known.UpdatedAt, device.UpdatedAt))
            return false;
        Put(server, id, Union(server, id, device, device.UpdatedAt), "what was read and no row wrote was there", row);
        return true;
    }

    /// <summary>
    /// Everything the rows show of one version of a record, and of the versions around it where they show nothing of this one. A session that
    /// only its DevAddr tells of is one of a plain ABP device.
    /// </summary>
    private EndDevice Union(TtsServers server, DeviceId id, EndDevice device, Timestamp updatedAt)
    {
        var record = new EndDevice();
        var versions = Shown(server, id).Where(shown => shown.Device.CreatedAt.Equals(device.CreatedAt))
            .OrderByDescending(shown => (shown.Device.UpdatedAt.ToDateTimeOffset() - updatedAt.ToDateTimeOffset()).Duration());
        foreach (var (shown, paths) in versions)
            MessageMask.Create(EndDevice.Descriptor, paths).Copy(shown, record);
        record.Ids = device.Ids.Clone();
        record.CreatedAt = device.CreatedAt;
        record.UpdatedAt = updatedAt;
        if (server == TtsServers.Network && !record.Ids.DevAddr.IsEmpty)
            CompleteSession(record);
        return record;
    }

    private static void CompleteSession(EndDevice record)
    {
        var key = new KeyEnvelope { Key = ByteString.CopyFrom([.. Enumerable.Repeat((byte)1, 16)]) };
        record.Session ??= new Session();
        record.Session.DevAddr = record.Ids.DevAddr;
        record.Session.Keys ??= new SessionKeys();
        record.Session.Keys.FNwkSIntKey ??= key;
        record.Session.Keys.SNwkSIntKey ??= record.Session.Keys.FNwkSIntKey.Clone();
        record.Session.Keys.NwkSEncKey ??= record.Session.Keys.FNwkSIntKey.Clone();
        record.Session.StartedAt ??= record.CreatedAt;
        if (record.FrequencyPlanId.Length == 0)
            record.FrequencyPlanId = "EU_863_870_TTN";
        if (record.LorawanVersion == MACVersion.MacUnknown)
            record.LorawanVersion = MACVersion.MacV102;
        if (record.LorawanPhyVersion == PHYVersion.PhyUnknown)
            record.LorawanPhyVersion = PHYVersion.PhyV102RevB;
        if (record.MacState is { CurrentParameters: { Channels.Count: > 0 }, DesiredParameters.Channels.Count: > 0 })
            return;
        var plan = EmbeddedFrequencyPlanStore.Find(record.FrequencyPlanId).Plan;
        if (plan is null || !MacStateBuilder.TryBuild(record, plan, new TtsClusterOptions().MacSettings, out var built, out _))
            return;
        var known = record.MacState;
        record.MacState = built;
        if (known is not null)
        {
            var paths = FieldPath.NonZero(known, "mac_state").Select(path => path["mac_state.".Length..]).ToList();
            MessageMask.Create(MACState.Descriptor, paths).Copy(known, record.MacState);
        }
    }

    private IEnumerable<(EndDevice Device, IReadOnlyList<string> Paths)> Shown(TtsServers server, DeviceId id)
    {
        foreach (var row in rows.Where(row => row.Server == server))
        {
            if (row.Response is EndDevice device && DeviceId.Of(device.Ids) == id)
                yield return (device, row.Method.EndsWith("/Create", StringComparison.Ordinal) ? [.. AllowedPaths.For(MaskedCall.IdentityServerUpdate)] : row.Paths);
            if (row.Response is EndDevices list)
            {
                foreach (var item in list.EndDevices_.Where(item => DeviceId.Of(item.Ids) == id))
                    yield return (item, row.Paths);
            }
        }
    }

    /// <summary>Times that the rules rebuilt are exact, those that rows made are near.</summary>
    private static bool IsSame(bool made, Timestamp left, Timestamp right) =>
        made ? (left.ToDateTimeOffset() - right.ToDateTimeOffset()).Duration() <= Tolerance : left.Equals(right);

    /// <summary>The application's devices are those of the list, and as many before and after it as the page and the total say.</summary>
    private bool AsListed(WireRow row, EndDevices devices)
    {
        var seeded = false;
        var listed = devices.EndDevices_.Select(device => DeviceId.Of(device.Ids)).ToHashSet();
        foreach (var device in devices.EndDevices_)
            seeded |= AsShown(TtsServers.Identity, DeviceId.Of(device.Ids), device, row);
        if (row.Request is not ListEndDevicesRequest request)
            return seeded;
        var application = request.ApplicationIds.ApplicationId;
        var total = int.Parse(row.Header("x-total-count")!, CultureInfo.InvariantCulture);
        var limit = request.Limit == 0 ? 100 : (int)request.Limit;
        var before = Math.Min(total, ((int)Math.Max(request.Page, 1) - 1) * limit);
        var after = total - before - listed.Count;
        var ids = cluster.DeviceIds(application, TtsServers.Identity);
        var first = listed.Select(id => id.Device).Order(StringComparer.Ordinal).FirstOrDefault() ?? "~";
        var last = listed.Select(id => id.Device).Order(StringComparer.Ordinal).LastOrDefault() ?? "~";
        Fill([.. ids.Where(id => string.CompareOrdinal(id, first) < 0)], before, "000-filler-");
        Fill([.. ids.Where(id => string.CompareOrdinal(id, first) >= 0 && string.CompareOrdinal(id, last) <= 0 && !listed.Contains(new(application, id)))], 0, "");
        Fill([.. ids.Where(id => string.CompareOrdinal(id, last) > 0)], after, "zzz-filler-");
        return seeded;

        void Fill(List<string> there, int wanted, string name)
        {
            // Devices that no row wrote go first.
            foreach (var id in there.OrderBy(id => writtenBy.ContainsKey((TtsServers.Identity, new(application, id)))).ThenBy(id => !id.Contains("-filler-", StringComparison.Ordinal)).Take(there.Count - wanted))
                Put(TtsServers.Identity, new(application, id), null, "what was not listed was not there", row);
            for (var i = there.Count; i < wanted; i++)
            {
                var id = new DeviceId(application, $"{name}{i.ToString("D4", CultureInfo.InvariantCulture)}");
                Put(TtsServers.Identity, id, new EndDevice { Ids = new EndDeviceIdentifiers() }, "devices on other pages of a list", row);
            }
        }
    }
}
