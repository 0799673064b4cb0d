using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Migration.Import;

/// <summary>
/// Brings one device onto the four servers: Identity, Join, Network, Application Server, in the order of the official CLI. What fails half-way
/// is taken back, Identity Server last, so that no server knows a device that the others do not (facts/tts-api.md section 7).
/// </summary>
internal sealed class DeviceImport(ClusterClient cluster, TargetLook look, ImportOptions options, TimeProvider clock)
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
            return Result(ImportResult.Failed) with { Failure = e.Failure };
        }

        ImportedDevice Result(ImportResult result) => new(device.Ids.DeviceId, line, result, notes);
    }

    /// <summary>A name for scripts also where no server gave one.</summary>
    internal static Failure Describe(RegistryException e) =>
        e.Failure.Name is not null
            ? e.Failure
            : e.Failure with { Namespace = "import", Name = e.IsOverload ? "no_answer" : "call_failed" };

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
                await DeleteAsync(replace.Old);
                await CreateAsync(device, notes);
                break;
            case Decision.Update update:
                await UpdateAsync(device, update.KeepsSession);
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
        try
        {
            await cluster.Identity.CreateAsync(device.Identity.Device, CancellationToken.None);
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
                await SetAsync(cluster.Join, "Join Server", join, begun, notes);
            await SetAsync(cluster.Network, "Network Server", device.Network, begun, notes);
            await SetAsync(cluster.Application, "Application Server", device.Application, begun, notes);
        }
        catch (FailureException e)
        {
            await RollBackAsync(device.Ids, begun, e);
            throw;
        }
    }

    private async Task SetAsync(DeviceRegistry server, string name, ServerPart part, List<DeviceRegistry> begun, List<Note> notes)
    {
        begun.Add(server);
        var start = clock.GetTimestamp();
        var stored = await server.SetAsync(part.Device, part.Paths, CancellationToken.None);
        if (!WasThere(stored, clock.GetElapsedTime(start)))
            return;
        // What was set lies over remains of a former device: its other fields are still the old ones.
        await server.DeleteAsync(part.Device.Ids, CancellationToken.None);
        if (!options.PruneLeftovers)
            throw new FailureException(TargetLook.Leftover(name));
        notes.Add(TargetLook.Pruned(name));
        await server.SetAsync(part.Device, part.Paths, CancellationToken.None);
    }

    /// <summary>A record that is older than the call, by the server's own clock. An attempt that got no answer may have created it during the call.</summary>
    private static bool WasThere(EndDevice stored, TimeSpan sinceFirstAttempt) =>
        stored is { CreatedAt: { } created, UpdatedAt: { } updated }
        && created.ToDateTimeOffset() < updated.ToDateTimeOffset() - sinceFirstAttempt - ClockSlack;

    private async Task UpdateAsync(PreparedDevice device, bool keepsSession)
    {
        var identity = device.Identity;
        await cluster.Identity.UpdateAsync(identity.Device, identity.Paths, CancellationToken.None);
        if (device.Join is { } join)
            await cluster.Join.SetAsync(join.Device, join.Paths, CancellationToken.None);
        await cluster.Network.SetAsync(device.Network.Device, Kept(device.Network), CancellationToken.None);
        await cluster.Application.SetAsync(device.Application.Device, Kept(device.Application), CancellationToken.None);

        IEnumerable<string> Kept(ServerPart part) => keepsSession
            ? part.Paths.Where(static path => !IsOf(path, "session") && !IsOf(path, "mac_state") && !IsOf(path, "pending_session") && !IsOf(path, "pending_mac_state"))
            : part.Paths;

        static bool IsOf(string path, string top) => path == top || TheThingsStack.FieldMasks.FieldPath.IsBelow(path, top);
    }

    private async Task DeleteAsync(EndDeviceIdentifiers ids)
    {
        await cluster.Application.DeleteAsync(ids, CancellationToken.None);
        await cluster.Network.DeleteAsync(ids, CancellationToken.None);
        await cluster.Join.DeleteAsync(ids, CancellationToken.None);
        await cluster.Identity.DeleteAsync(ids, CancellationToken.None);
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
