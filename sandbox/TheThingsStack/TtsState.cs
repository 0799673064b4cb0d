using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using TheThingsStack.Validation;

namespace Sandbox.TheThingsStack;

/// <summary>What the servers remember: applications, and four stores of devices that know nothing of each other.</summary>
internal sealed class TtsState(TtsClusterOptions options)
{
    private const string Crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private static readonly MessageMask Everything = MessageMask.Create(EndDevice.Descriptor, EndDevice.Descriptor.Fields.InDeclarationOrder().Select(field => field.Name));
    private readonly Dictionary<string, Application> applications = new(StringComparer.Ordinal);

    public TtsClusterOptions Options { get; } = options;

    /// <summary>Held by every handler.</summary>
    public Lock Gate { get; } = new();

    public RecordStore Identity { get; } = new();

    public RecordStore Network { get; } = new();

    public RecordStore ApplicationServer { get; } = new();

    public RecordStore Join { get; } = new();

    public IEnumerable<Application> Applications => applications.Values;

    public Application? Application(string id) => applications.GetValueOrDefault(id);

    public void Add(Application application) => applications[application.Ids.ApplicationId] = application;

    public static bool IsZero(ByteString? bytes) => bytes is null || !bytes.Span.ContainsAnyExcept((byte)0);

    /// <summary>The rights a mask asks for: the first always, the others where one of their paths is covered.</summary>
    public static IEnumerable<Right> Rights(MessageMask mask, Right always, params (string[] Paths, Right Right)[] more)
    {
        yield return always;
        foreach (var (paths, right) in more)
        {
            if (paths.Any(mask.Covers))
                yield return right;
        }
    }

    /// <summary>What a registry answers: the masked fields, with identifiers and times in any case.</summary>
    public static EndDevice Answer(EndDevice record, MessageMask mask)
    {
        var answer = mask.Select(record);
        answer.Ids = record.Ids.Clone();
        answer.CreatedAt = record.CreatedAt;
        answer.UpdatedAt = record.UpdatedAt;
        return answer;
    }

    /// <summary>Lays the masked fields of a request over the stored record, or over a new one; identifiers stay as they are.</summary>
    public EndDevice Merge(RecordStore store, EndDevice? stored, EndDevice device, MessageMask mask, string server)
    {
        EndDevice record;
        var now = Now();
        if (stored is null)
        {
            if (store.OwnerOf(device.Ids) is { } owner)
                throw TtsError.EuisTaken("pkg/internal/registry", device.Ids, owner);
            record = new EndDevice { Ids = device.Ids.Clone(), CreatedAt = now };
        }
        else
        {
            if (!device.Ids.JoinEui.IsEmpty && device.Ids.JoinEui != stored.Ids.JoinEui)
                throw TtsError.ReadOnlyField(server, "ids.join_eui");
            if (!device.Ids.DevEui.IsEmpty && device.Ids.DevEui != stored.Ids.DevEui)
                throw TtsError.ReadOnlyField(server, "ids.dev_eui");
            record = stored.Clone();
        }
        var ids = record.Ids;
        mask.Copy(device, record);
        record.Ids = ids;
        record.UpdatedAt = now;
        return record;
    }

    /// <summary>Checks a merged record and stores it.</summary>
    public static EndDevice Keep(RecordStore store, EndDevice record)
    {
        if (DeviceValidator.Validate(record) is { } violation)
            throw RequestChecks.Invalid(EndDevice.Descriptor, violation);
        store.Put(record);
        return record;
    }

    /// <summary>Notes when a device was last heard; nothing when the Identity Server does not know it.</summary>
    public void Seen(DeviceId id, Timestamp at)
    {
        if (Identity.Find(id)?.Clone() is not { } record)
            return;
        record.LastSeenAt = at;
        record.ActivatedAt ??= at;
        record.UpdatedAt = Now();
        Identity.Put(record);
    }

    public static EndDevice? Copy(EndDevice? record) => record is null ? null : Everything.Select(record);

    public Timestamp Now() => Timestamp.FromDateTimeOffset(Options.Clock.GetUtcNow());

    public ByteString NewDevAddr()
    {
        var mask = Options.DevAddrPrefixLength == 0 ? 0 : uint.MaxValue << (32 - Options.DevAddrPrefixLength);
        var random = BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(4));
        var bytes = new byte[4];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(bytes, (Options.DevAddrPrefix & mask) | (random & ~mask));
        return ByteString.CopyFrom(bytes);
    }

    /// <summary>An identifier of 26 characters that starts with the time.</summary>
    public string NewUlid()
    {
        var milliseconds = Options.Clock.GetUtcNow().ToUnixTimeMilliseconds();
        return string.Create(26, milliseconds, static (text, time) =>
        {
            for (var i = 9; i >= 0; i--, time >>= 5)
                text[i] = Crockford[(int)(time & 31)];
            RandomNumberGenerator.GetItems(Crockford.AsSpan(), text[10..]);
        });
    }
}
