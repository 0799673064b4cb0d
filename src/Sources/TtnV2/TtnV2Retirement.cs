using Google.Protobuf;
using Migration;
using TheThingsStack.Errors;
using LoRaWanDevice = Sources.TtnV2.Api.LoRaWan.Device;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.TtnV2;

/// <summary>The record of a device without the keys that were exported.</summary>
internal static class TtnV2Retirement
{
    private static readonly ByteString NoKey = ByteString.CopyFrom(new byte[16]);
    private static readonly ByteString NoAddress = ByteString.CopyFrom(new byte[4]);

    /// <summary>
    /// Gives the record to store: as the handler has it now, with zeros for what leaves. A Set replaces everything it does not leave out
    /// (facts/ttnv2.md section 3.5), so the rest is sent back as it was read a moment ago.
    /// </summary>
    /// <param name="exported">The LoRaWAN part as it was exported.</param>
    /// <param name="fresh">The device as it is now.</param>
    /// <param name="scope">What leaves.</param>
    /// <returns>Null when nothing is left to clear.</returns>
    /// <exception cref="FailureException">What is there now is not what was exported: clearing it would lose it.</exception>
    public static V2Device? Clear(LoRaWanDevice exported, TtnV2Device fresh, RetireScope scope)
    {
        if (fresh.Value?.LorawanDevice is null)
            throw new FailureException(fresh.Problem ?? Changed("the record has no LoRaWAN part any more"));
        var record = fresh.Value.Clone();
        var lorawan = record.LorawanDevice;
        var changes = false;
        if (scope.HasFlag(RetireScope.RootKeys))
        {
            changes |= Check("AppKey", exported.AppKey, lorawan.AppKey);
            lorawan.AppKey = NoKey;
        }
        if (scope.HasFlag(RetireScope.Session))
        {
            changes |= Check("DevAddr", exported.DevAddr, lorawan.DevAddr);
            changes |= Check("NwkSKey", exported.NwkSKey, lorawan.NwkSKey);
            changes |= Check("AppSKey", exported.AppSKey, lorawan.AppSKey);
            lorawan.DevAddr = NoAddress;
            lorawan.NwkSKey = NoKey;
            lorawan.AppSKey = NoKey;
        }
        if (!changes)
            return null;
        record.AppId = lorawan.AppId = fresh.Application;
        record.DevId = lorawan.DevId = fresh.Id;
        // The server keeps its own; they are not for clients to send.
        lorawan.LastSeen = 0;
        lorawan.UsedDevNonces.Clear();
        lorawan.UsedAppNonces.Clear();
        return record;
    }

    /// <summary>True when there is something to clear; throws when it is something else than was exported.</summary>
    private static bool Check(string what, ByteString exported, ByteString now)
    {
        if (!now.Span.ContainsAnyExcept((byte)0))
            return false;
        return now.Equals(exported)
            ? true
            : throw new FailureException(Changed($"its {what} in V2 is no longer the one that was exported"));
    }

    private static Failure Changed(string what) =>
        Failure.Named("source/ttnv2", "changed_at_source", what) with
        {
            Advice = "remove its line from the file and export the device again: nothing was cleared",
        };
}
