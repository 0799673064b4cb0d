using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Rpc;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Registries;
using Xunit.Abstractions;

namespace TheThingsStack.Tests.Registries;

/// <summary>Errors of The Things Stack as failures (facts/tts-api.md section 10).</summary>
public sealed class RegistryErrorsTests(ITestOutputHelper output)
{
    private static readonly HostPort Server = new("eu1.example.com", 8884);

    /// <summary>The text that the server puts into the status is that of the details, filled in.</summary>
    [Fact]
    public void Recorded_details_read_as_the_text_of_their_status() =>
        Golden.Check("tts-wire.jsonl.gz", output.WriteLine, row =>
        {
            if (row.Text("details") is not { } details)
                return null;
            var failure = RegistryErrors.Describe(Call((StatusCode)row.Json.GetProperty("status").GetInt32(), row.Text("message")!, Convert.FromBase64String(details)));
            return failure.ToString() != row.Text("message") ? $"{failure} is not {row.Text("message")}"
                : failure.CorrelationId is not { Length: 32 } ? "no correlation ID"
                : failure.Attributes["server"] != Server.ToString() ? "the server is not named"
                : null;
        });

    [Fact]
    public void The_chain_of_causes_keeps_the_attributes_of_each()
    {
        var inner = Details("pkg/identityserver/store", "api_key_not_found", "api key with id `{api_key_id}` not found", ("api_key_id", Value.ForString("ABC")));
        var outer = Details("pkg/identityserver", "api_key_not_found", "API key not found");
        outer.CorrelationId = new string('a', 32);
        outer.Cause = inner;

        var failure = RegistryErrors.Describe(Call(StatusCode.Unauthenticated, "text", Status(outer)));

        Assert.Equal("error:pkg/identityserver:api_key_not_found (API key not found)", failure.ToString());
        Assert.Equal(new string('a', 32), failure.CorrelationId);
        Assert.Equal("error:pkg/identityserver/store:api_key_not_found (api key with id `ABC` not found)", failure.Cause!.ToString());
        Assert.Equal("ABC", failure.Cause.Attributes["api_key_id"]);
        Assert.Null(failure.Cause.Cause);
        Assert.True(failure.NotAuthorised);
    }

    [Fact]
    public void Attributes_of_every_kind_can_be_read()
    {
        var details = Details(
            "pkg/x", "name", "{text} {number} {whole} {yes} {list} {map} {none} {missing} {open",
            ("text", Value.ForString("a {number} b")),
            ("number", Value.ForNumber(1.5)),
            ("whole", Value.ForNumber(40961)),
            ("yes", Value.ForBool(true)),
            ("list", Value.ForList(Value.ForString("a"), Value.ForNumber(2))),
            ("map", Value.ForStruct(new Struct { Fields = { ["b"] = Value.ForNumber(1), ["a"] = Value.ForString("x") } })),
            ("none", Value.ForNull()));

        Assert.Equal("a {number} b 1.5 40961 true [a 2] {a:x b:1} null {missing} {open", RegistryErrors.FromDetails(details).Message);
    }

    [Fact]
    public void A_chain_without_end_is_cut()
    {
        var details = Details("pkg/x", "name", "text");
        for (var i = 0; i < 50; i++)
        {
            var outer = Details("pkg/x", "name", "text");
            outer.Cause = details;
            details = outer;
        }
        var length = 0;
        for (var link = RegistryErrors.FromDetails(details); link is not null; link = link.Cause)
            length++;

        Assert.Equal(17, length);
    }

    [Fact]
    public void Details_of_another_kind_come_before_and_are_passed_over()
    {
        var other = new Any { TypeUrl = "type.googleapis.com/google.rpc.RetryInfo", Value = ByteString.CopyFrom(1, 2) };
        byte[] status = [.. Field(other), .. Status(Details("pkg/x", "name", "text"))];

        Assert.Equal("error:pkg/x:name (text)", RegistryErrors.Describe(Call(StatusCode.Internal, "text", status)).ToString());
    }

    [Theory]
    [InlineData(new byte[] { 0x1A, 0x7F, 1 })]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF })]
    [InlineData(new byte[] { })]
    public void Without_details_that_can_be_read_status_and_text_remain(byte[] details) =>
        Assert.Equal(
            "The Things Stack at eu1.example.com:8884: FailedPrecondition: the text",
            RegistryErrors.Describe(Call(StatusCode.FailedPrecondition, "the text", details)).ToString());

    /// <summary>Errors, whether the key is at fault, and whether every other device would fail alike.</summary>
    public static TheoryData<StatusCode, string, bool, bool> Meanings => new()
    {
        { StatusCode.Unauthenticated, "pkg/identityserver:api_key_expired", true, true },
        { StatusCode.InvalidArgument, "pkg/auth:token", true, true },
        { StatusCode.PermissionDenied, "pkg/auth/rights:insufficient_application_rights", true, true },
        { StatusCode.NotFound, "pkg/identityserver/store:application_not_found", false, true },
        { StatusCode.NotFound, "pkg/identityserver/store:end_device_not_found", false, false },
        { StatusCode.InvalidArgument, "pkg/networkserver:field_value", false, false },
        { StatusCode.AlreadyExists, "pkg/util/store:id_taken", false, false },
        { StatusCode.Unimplemented, "", false, true },
        { StatusCode.Internal, "pkg/rpcmiddleware/rpclog:rpc_recovered", false, false },
    };

    [Theory]
    [MemberData(nameof(Meanings))]
    public void What_an_error_means_for_the_other_devices_is_known(StatusCode status, string name, bool notAuthorised, bool concernsAll)
    {
        var call = Call(status, "text", name.Length == 0 ? [] : Status(Details(name.Split(':')[0], name.Split(':')[1], "text")));
        var failure = new RegistryException(RegistryErrors.Describe(call), call);

        Assert.Equal((notAuthorised, concernsAll), (failure.Failure.NotAuthorised, failure.ConcernsAll));
    }

    [Fact]
    public void Of_what_is_aborted_only_a_write_that_met_another_is_worth_repeating()
    {
        Assert.True(RegistryErrors.IsTransient(Call(StatusCode.Aborted, "text", Status(Details("pkg/redis", "transaction_failed", "text"))), answered: true));
        Assert.False(RegistryErrors.IsTransient(Call(StatusCode.Aborted, "text", Status(Details("pkg/x", "mismatch", "text"))), answered: true));
    }

    private static RpcException Call(StatusCode status, string message, byte[] details) =>
        new(Server, status, message, RpcFailureOrigin.Server) { Method = "/ttn.lorawan.v3.NsEndDeviceRegistry/Set", StatusDetails = details };

    private static ErrorDetails Details(string space, string name, string format, params (string Name, Value Value)[] attributes)
    {
        var details = new ErrorDetails { Namespace = space, Name = name, MessageFormat = format };
        if (attributes.Length > 0)
            details.Attributes = new Struct();
        foreach (var (key, value) in attributes)
            details.Attributes.Fields[key] = value;
        return details;
    }

    /// <summary>google.rpc.Status with these details.</summary>
    private static byte[] Status(ErrorDetails details) =>
        [0x08, 3, .. Field(new Any { TypeUrl = "type.googleapis.com/ttn.lorawan.v3.ErrorDetails", Value = details.ToByteString() })];

    private static byte[] Field(Any any)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
        {
            output.WriteTag(3, WireFormat.WireType.LengthDelimited);
            output.WriteMessage(any);
        }
        return stream.ToArray();
    }
}
