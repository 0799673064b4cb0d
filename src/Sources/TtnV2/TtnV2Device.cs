using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using Migration;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.TtnV2;

/// <summary>A device of The Things Network V2, as the handler sent it.</summary>
internal sealed class TtnV2Device : SourceDevice
{
    /// <summary>Longest time between a Get and a Set that relies on it: a Set writes the frame counters that the Get gave.</summary>
    public static readonly TimeSpan Freshness = TimeSpan.FromSeconds(5);

    private readonly long? readAt;

    private TtnV2Device(string application, string id, ReadOnlyMemory<byte> record, V2Device? value, Failure? problem, bool hasCounters, int? position, long? readAt)
        : base(application, id)
    {
        Position = position;
        this.readAt = readAt;
        Record = record;
        Value = value;
        Problem = problem;
        HasCounters = hasCounters;
    }

    /// <inheritdoc/>
    public override ReadOnlyMemory<byte> Record { get; }

    /// <summary>The decoded record; null when <see cref="Problem"/> says why it cannot be decoded.</summary>
    public V2Device? Value { get; }

    /// <summary>Why the record is not a device of V2; null when it is.</summary>
    public Failure? Problem { get; }

    /// <summary>True when the record came with the frame counters: Get has them, List does not (facts/ttnv2.md section 3.4).</summary>
    public bool HasCounters { get; }

    /// <summary>Plan for its MAC state; set by the source when it reads a device that goes with its session.</summary>
    public FrequencyPlanResult Plan { get; set; }

    /// <summary>Place in the list of the application, from 0; null when it did not come from a list.</summary>
    public int? Position { get; }

    /// <summary>True when the device was read by Get no longer ago than <see cref="Freshness"/>.</summary>
    public bool IsFresh(TimeProvider clock) => IsDecoded && readAt is { } start && clock.GetElapsedTime(start) <= Freshness;

    /// <summary>True when the record can be decoded.</summary>
    [MemberNotNullWhen(true, nameof(Value))]
    [MemberNotNullWhen(false, nameof(Problem))]
    public bool IsDecoded => Value is not null;

    /// <summary>Decodes a record; what is wrong with it becomes <see cref="Problem"/>.</summary>
    /// <param name="application">Application it was asked for in.</param>
    /// <param name="id">Device ID it was asked for by; null takes the record's own.</param>
    /// <param name="record">A handler.Device on the wire.</param>
    /// <param name="hasCounters">True for an answer to Get.</param>
    /// <param name="position">Place in the list of the application, from 0; null when it did not come from one.</param>
    /// <param name="readAt">Timestamp of the answer to Get; null otherwise.</param>
    public static TtnV2Device Decode(string application, string? id, ReadOnlyMemory<byte> record, bool hasCounters, int? position = null, long? readAt = null)
    {
        var problem = TryDecode(record, out var value);
        id ??= value?.DevId ?? PeekId(record.Span);
        return new TtnV2Device(application, id, record, problem is null ? value : null, problem, hasCounters, position, readAt);
    }

    private static Failure? TryDecode(ReadOnlyMemory<byte> record, out V2Device? value)
    {
        value = null;
        try
        {
            value = V2Device.Parser.ParseFrom(record.Span);
        }
        catch (InvalidProtocolBufferException e)
        {
            return Invalid(
                e.Message.Contains("UTF-8", StringComparison.Ordinal) ? "a text of the device (description or attribute) is not UTF-8" : "the record cannot be decoded",
                "grpc: failed to unmarshal the received message: " + e.Message);
        }
        return LengthProblem(value);
    }

    private static Failure? LengthProblem(V2Device device)
    {
        if (device.LorawanDevice is not { } lorawan)
            return null;
        return Length("dev_eui", lorawan.DevEui, lorawan.DevEui.Length > 0, 8, "EUI64")
            ?? Length("app_eui", lorawan.AppEui, lorawan.AppEui.Length > 0, 8, "EUI64")
            ?? Length("dev_addr", lorawan.DevAddr, lorawan.HasDevAddr, 4, "DevAddr")
            ?? Length("nwk_s_key", lorawan.NwkSKey, lorawan.HasNwkSKey, 16, "AES128Key")
            ?? Length("app_s_key", lorawan.AppSKey, lorawan.HasAppSKey, 16, "AES128Key")
            ?? Length("app_key", lorawan.AppKey, lorawan.HasAppKey, 16, "AES128Key");
    }

    /// <summary>A field that is there but empty is as wrong as one that is too short (facts/ttnv2.md section 3.3).</summary>
    private static Failure? Length(string field, ByteString value, bool present, int length, string type) =>
        !present || value.Length == length
            ? null
            : Invalid($"`{field}` has {value.Length} bytes instead of {length}", $"grpc: failed to unmarshal the received message: ttn/core: Invalid length for {type}");

    private static Failure Invalid(string message, string cause) =>
        Failure.Named("source/ttnv2", "invalid_record", message) with
        {
            Cause = new Failure(cause) { Namespace = "unknown", Name = "unknown" },
            Advice = "correct the device in V2 and export it again",
        };

    /// <summary>Finds the device ID in a record that cannot be decoded; empty when even that fails.</summary>
    private static string PeekId(ReadOnlySpan<byte> record)
    {
        try
        {
            var input = new CodedInputStream(record.ToArray());
            while (input.ReadTag() is var tag and not 0)
            {
                if (WireFormat.GetTagFieldNumber(tag) == V2Device.DevIdFieldNumber && WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited)
                    return input.ReadString();
                input.SkipLastField();
            }
        }
        catch (InvalidProtocolBufferException)
        {
            // Too broken to have a name.
        }
        return "";
    }
}
