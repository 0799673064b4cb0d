using Google.Protobuf.WellKnownTypes;
using Rpc;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Migration.Import;

/// <summary>
/// Brings one device onto the four servers: Identity, Join, Network, Application Server, in the order of the official CLI. What fails half-way
/// is taken back, Identity Server last, so that no server knows a device that the others do not (facts/tts-api.md section 7).
/// </summary>
/// <param name="cluster">The target.</param>
/// <param name="look">Looks at it.</param>
/// <param name="preparation">Splits devices.</param>
/// <param name="options">How the import goes.</param>
/// <param name="former">Keeps devices before they are replaced; null keeps them in memory only.</param>
/// <param name="clock">Clock.</param>
internal sealed class DeviceImport(
    ClusterClient cluster, TargetLook look, DevicePreparation preparation, ImportOptions options, FormerDevicesFile? former, TimeProvider clock)
{
    /// <summary>Two servers behind one address may differ by so much.</summary>
    private static readonly TimeSpan ClockSlack = TimeSpan.FromSeconds(1);

    /// <summary>Imports, or in a dry run says what would happen. Runs to its end once begun, so that nothing is left half done.</summary>
    public async Task<ImportedDevice> RunAsync(PreparedDevice device, PreparedDevice? earlier, long line)
    {
        var notes = new List<Note>(device.Notes);
        try
        {
            if (options.DryRun)
                return Foresee(await look.DecideAsync(device, earlier, CancellationToken.None), device, line, notes);
            try
            {
                await CreateAsync(device, notes);
            }
            catch (RegistryException e) when (e.IsAlreadyExists && e.Cause.Method == RegistryMethods.IdentityCreate.FullName)
            {
                return await ResolveAsync(await look.DecideAsync(device, earlier, e, CancellationToken.None), device, line, notes);
            }
            return Result(ImportResult.Imported);
        }
        catch (RegistryException e)
        {
            return Result(ImportResult.Failed) with { Failure = Describe(e), TargetFailed = e.ConcernsAll };
        }
        catch (FailureException e)
        {
            return Result(ImportResult.Failed) with { Failure = e.Failure, TargetFailed = e.InnerException is RegistryException { ConcernsAll: true } };
        }

        ImportedDevice Result(ImportResult result) => new(device.Ids.DeviceId, line, result, notes);
    }

    /// <summary>A name for scripts also where no server gave one, and what to do.</summary>
    internal static Failure Describe(RegistryException e)
    {
        var failure = e.Failure.Name is not null
            ? e.Failure
            : e.Failure with { Namespace = "import", Name = e.IsOverload ? "no_answer" : "call_failed" };
        return failure.Advice is not null ? failure : failure with
        {
            Advice = e.IsOverload
                ? "the server did not answer in time: import the device again later"
                : "the server refused the device: correct it in the file, or ask who runs the cluster, and import it again",
        };
    }

    private static ImportedDevice Foresee(Decision decision, PreparedDevice device, long line, List<Note> notes)
    {
        var result = new ImportedDevice(device.Ids.DeviceId, line, ImportResult.Imported, notes);
        switch (decision)
        {
            case Decision.Create create:
                notes.AddRange(create.Notes);
                return result;
            case Decision.Replace:
                return result with { Result = ImportResult.Updated };
            case Decision.Update update:
                if (update.Note is not null)
                    notes.Add(update.Note);
                return result with { Result = ImportResult.Updated };
            case Decision.Skip skip:
                return result with { Result = ImportResult.Skipped, SkippedFor = skip.Code };
            case Decision.Fail fail:
                return result with { Result = ImportResult.Failed, Failure = fail.Failure };
            default:
                throw new InvalidOperationException("a decision has five kinds");
        }
    }

    private async Task<ImportedDevice> ResolveAsync(Decision decision, PreparedDevice device, long line, List<Note> notes)
    {
        switch (decision)
        {
            case Decision.Replace replace:
                await ReplaceAsync(device, replace.Old, notes);
                break;
            case Decision.Update update:
                await UpdateAsync(device, update.KeepsSession, notes);
                break;
            case Decision.Create:
                // It went away between two calls.
                await CreateAsync(device, notes);
                break;
        }
        return Foresee(decision, device, line, notes);
    }

    private async Task CreateAsync(PreparedDevice device, List<Note> notes)
    {
        Timestamp? since;
        try
        {
            since = (await cluster.Identity.CreateAsync(device.Identity.Device, CancellationToken.None)).CreatedAt;
        }
        catch (RegistryException e) when (e is { MayHaveActed: true, IsAlreadyExists: false })
        {
            await TakeBackCreateAsync(device, e);
            throw;
        }
        var begun = new List<DeviceRegistry>(3);
        try
        {
            if (device.Join is { } join)
                await SetAsync(cluster.Join, "Join Server", join, since, begun, notes);
            await SetAsync(cluster.Network, "Network Server", device.Network, since, begun, notes);
            await SetAsync(cluster.Application, "Application Server", device.Application, since, begun, notes);
        }
        catch (FailureException e)
        {
            await RollBackAsync(device.Ids, begun, e);
            throw;
        }
    }

    private async Task SetAsync(DeviceRegistry server, string name, ServerPart part, Timestamp? since, List<DeviceRegistry> begun, List<Note> notes)
    {
        var start = clock.GetTimestamp();
        EndDevice stored;
        try
        {
            stored = await server.SetAsync(part.Device, part.Paths, CancellationToken.None);
        }
        catch (RegistryException e)
        {
            // Remains are not ours to take back, not even when an attempt before this one got no answer: they would have refused it too.
            if (await look.FindRemainsAsync(server, name, part.Device.Ids, e) is not { } found)
            {
                if (await MayBeOursAsync(server, part.Device.Ids, e, since))
                    begun.Add(server);
                throw;
            }
            if (!options.PruneLeftovers || found.Remains is not { } remains)
                throw new FailureException(found.Failure!, e);
            await PruneAsync(remains);
            return;
        }
        if (!WasThere(stored, clock.GetElapsedTime(start)))
        {
            begun.Add(server);
            return;
        }
        // What was set lies over remains of a former device: its other fields are still the old ones.
        if (!options.PruneLeftovers)
            throw new FailureException(TargetLook.Leftover(name));
        await PruneAsync(part.Device.Ids);

        async Task PruneAsync(EndDeviceIdentifiers remains)
        {
            await server.DeleteAsync(remains, CancellationToken.None);
            notes.Add(TargetLook.Pruned(name));
            begun.Add(server);
            await server.SetAsync(part.Device, part.Paths, CancellationToken.None);
        }
    }

    /// <summary>
    /// Whether the server holds what a failed call has made all the same: a record that is not older than that of the Identity Server. Where it
    /// cannot be asked, the call itself tells whether it may have acted.
    /// </summary>
    private static async Task<bool> MayBeOursAsync(DeviceRegistry server, EndDeviceIdentifiers ids, RegistryException failure, Timestamp? since)
    {
        if (failure.Cause.Origin != RpcFailureOrigin.Server || failure.IsOverload || since is null)
            return failure.MayHaveActed;
        try
        {
            return await server.FindAsync(ids, [], CancellationToken.None) is { } found
                && (found.CreatedAt is null || found.CreatedAt.ToDateTimeOffset() >= since.ToDateTimeOffset() - ClockSlack);
        }
        catch (RegistryException)
        {
            return failure.MayHaveActed;
        }
    }

    /// <summary>A record that is older than the call, by the server's own clock. An attempt that got no answer may have created it during the call.</summary>
    private static bool WasThere(EndDevice stored, TimeSpan sinceFirstAttempt) =>
        stored is { CreatedAt: { } created, UpdatedAt: { } updated }
        && created.ToDateTimeOffset() < updated.ToDateTimeOffset() - sinceFirstAttempt - ClockSlack;

    private async Task UpdateAsync(PreparedDevice device, bool keepsSession, List<Note> notes)
    {
        var identity = device.Identity;
        await cluster.Identity.UpdateAsync(identity.Device, identity.Paths, CancellationToken.None);
        if (device.Join is { } join)
            await ChangeAsync(cluster.Join, "Join Server", join, join.Paths);
        await ChangeAsync(cluster.Network, "Network Server", device.Network, Kept(device.Network));
        await ChangeAsync(cluster.Application, "Application Server", device.Application, Kept(device.Application));

        async Task ChangeAsync(DeviceRegistry server, string name, ServerPart part, IEnumerable<string> paths)
        {
            try
            {
                await server.SetAsync(part.Device, paths, CancellationToken.None);
            }
            catch (RegistryException e)
            {
                // Its own record, of the same EUIs, is refused for another reason.
                if (await look.FindRemainsAsync(server, name, part.Device.Ids, e) is not { } found || found.Remains is { } own && IsOwn(own, part.Device.Ids))
                    throw;
                if (!options.PruneLeftovers || found.Remains is not { } remains)
                    throw new FailureException(found.Failure!, e);
                await server.DeleteAsync(remains, CancellationToken.None);
                notes.Add(TargetLook.Pruned(name));
                await server.SetAsync(part.Device, part.Paths, CancellationToken.None);
            }
        }

        static bool IsOwn(EndDeviceIdentifiers found, EndDeviceIdentifiers ids) =>
            found.DeviceId == ids.DeviceId && found.DevEui == ids.DevEui && found.JoinEui == ids.JoinEui;

        IEnumerable<string> Kept(ServerPart part) => keepsSession
            ? part.Paths.Where(static path => !IsOf(path, "session") && !IsOf(path, "mac_state") && !IsOf(path, "pending_session") && !IsOf(path, "pending_mac_state"))
            : part.Paths;

        static bool IsOf(string path, string top) => path == top || TheThingsStack.FieldMasks.FieldPath.IsBelow(path, top);
    }

    /// <summary>
    /// Deletes a device and creates the new one. The old one is read and kept first, and put back when the new one cannot be created.
    /// </summary>
    private async Task ReplaceAsync(PreparedDevice device, EndDeviceIdentifiers old, List<Note> notes)
    {
        if (await FormerDevice.ReadAsync(cluster, old) is not { } record)
        {
            // It went away between two calls.
            await CreateAsync(device, notes);
            return;
        }
        var parts = await preparation.SplitAsync(record, CancellationToken.None);
        if (former is not null)
            await former.KeepAsync(record);
        try
        {
            await cluster.Application.DeleteAsync(parts.Ids, CancellationToken.None);
            await cluster.Network.DeleteAsync(parts.Ids, CancellationToken.None);
            if (parts.Join is not null)
                await cluster.Join.DeleteAsync(parts.Ids, CancellationToken.None);
            await cluster.Identity.DeleteAsync(parts.Ids, CancellationToken.None);
            await CreateAsync(device, notes);
        }
        catch (FailureException e)
        {
            await PutBackAsync(parts, e);
            throw new FailureException(
                Failure.Named("import", "replace_failed", "the new device could not be created; the former one was put back") with
                {
                    Cause = e.Failure,
                    Advice = e.Failure.Advice,
                },
                e);
        }
    }

    private async Task PutBackAsync(PreparedDevice old, FailureException why)
    {
        try
        {
            if (await cluster.Identity.FindAsync(old.Ids, [], CancellationToken.None) is null)
                await cluster.Identity.CreateAsync(old.Identity.Device, CancellationToken.None);
            if (old.Join is { } join)
                await cluster.Join.SetAsync(join.Device, join.Paths, CancellationToken.None);
            await cluster.Network.SetAsync(old.Network.Device, old.Network.Paths, CancellationToken.None);
            await cluster.Application.SetAsync(old.Application.Device, old.Application.Paths, CancellationToken.None);
        }
        catch (RegistryException e)
        {
            throw new FailureException(
                Failure.Named("import", "replace_half_done", "the new device could not be created, and putting the former one back failed too") with
                {
                    Cause = why.Failure with { Cause = e.Failure },
                    Advice = former is null ? "run the command again when the target works" : $"run the command again when the target works; the former device is a line of {former.Path}, which can be imported",
                },
                e);
        }
    }

    /// <summary>Only what this run has begun to set is taken back, the Identity Server last: as long as it knows the device, a later run can finish.</summary>
    private async Task RollBackAsync(EndDeviceIdentifiers ids, List<DeviceRegistry> begun, FailureException why)
    {
        try
        {
            for (var i = begun.Count - 1; i >= 0; i--)
                await begun[i].DeleteAsync(ids, CancellationToken.None);
            await cluster.Identity.DeleteAsync(ids, CancellationToken.None);
        }
        catch (RegistryException e)
        {
            throw new FailureException(HalfCreated(why, e), e);
        }
    }

    private async Task TakeBackCreateAsync(PreparedDevice device, RegistryException why)
    {
        try
        {
            await cluster.Identity.DeleteIfCreatedAsync(device.Identity.Device, why, CancellationToken.None);
        }
        catch (RegistryException e)
        {
            throw new FailureException(HalfCreated(why, e), e);
        }
    }

    private static Failure HalfCreated(FailureException why, RegistryException rollback) =>
        Failure.Named("import", "half_created", "the device was created in part, and taking it back failed too") with
        {
            Cause = why.Failure with { Cause = rollback.Failure },
            Advice = "import it again when the target works: what is there is completed",
        };
}
