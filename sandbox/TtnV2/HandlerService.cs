using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using Sandbox.TtnV2.Api;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.TtnV2;

/// <summary>
/// The ApplicationManager of a V2 handler (facts/ttnv2.md sections 2.3 to 3.5, 7.2, 7.3 and 8). Order of checks: message, credentials,
/// rate limits, right, application, work.
/// </summary>
public sealed partial class HandlerService(TimeProvider clock, RateLimitProfile limits, AccountServer accountServer, Broker broker)
{
    private const string Service = "/handler.ApplicationManager/";

    /// <summary>Attribute keys without any limit.</summary>
    private static readonly HashSet<string> BuiltinAttributes =
        new(["ttn-brand", "ttn-model", "ttn-version", "ttn-antenna", "ttn-module-type"], StringComparer.Ordinal);

    private readonly ConcurrentDictionary<(string Application, string Key), (string Token, DateTimeOffset Expires)> tokens = new();
    private readonly ConcurrentDictionary<string, Application> settings = new(StringComparer.Ordinal);

    /// <summary>Devices as the handler keeps them.</summary>
    public HandlerStore Store { get; } = new();

    /// <summary>Limit by the token's subject.</summary>
    public RateLimiter Clients { get; } = new(clock, limits, "client");

    /// <summary>Limit by application.</summary>
    public RateLimiter Applications { get; } = new(clock, limits, "application");

    /// <summary>Forgets what a process keeps in memory: tokens and rate limits.</summary>
    public void ForgetMemory()
    {
        tokens.Clear();
        Clients.Reset();
        Applications.Reset();
    }

    /// <summary>Makes the handler hold a token for a key, as after an earlier call; false when the account server refuses the key.</summary>
    public bool CacheToken(string app, string key)
    {
        try
        {
            TokenOf(app, AccountServer.WithIssuer(key));
            return true;
        }
        catch (AccountServerException)
        {
            return false;
        }
    }

    /// <summary>Forgets the token of one key.</summary>
    public void ForgetToken(string app, string key) => tokens.TryRemove((app, AccountServer.WithIssuer(key)), out _);

    /// <summary>Whether a token of the key is held that is used for the next call.</summary>
    public bool HoldsToken(string app, string key) =>
        tokens.TryGetValue((app, AccountServer.WithIssuer(key)), out var held) && held.Expires - clock.GetUtcNow() > TimeSpan.FromMinutes(1);

    /// <summary>Sets the payload functions of an application.</summary>
    public void Configure(Application application) => settings[application.AppId] = application;

    internal void AddTo(GrpcServices services) => services
        .Unary<ApplicationIdentifier, DeviceList>(Service + "GetDevicesForApplication", ApplicationIdentifier.Parser, ListAsync)
        .Unary<DeviceIdentifier, Device>(Service + "GetDevice", DeviceIdentifier.Parser, GetAsync)
        .Unary<Device, Empty>(Service + "SetDevice", Device.Parser, SetAsync, DeviceWireFormat.Refuse)
        .Unary<DeviceIdentifier, Empty>(Service + "DeleteDevice", DeviceIdentifier.Parser, DeleteAsync)
        .Unary<ApplicationIdentifier, Application>(Service + "GetApplication", ApplicationIdentifier.Parser, GetApplicationAsync)
        .Unary<Application, Empty>(Service + "SetApplication", Application.Parser, SetApplicationAsync)
        .Unary<ApplicationIdentifier, Empty>(Service + "RegisterApplication", ApplicationIdentifier.Parser, RegisterApplicationAsync);

    private static string? WhyNotId(string id)
    {
        if (id.Length == 0)
            return "can not be empty";
        return IdPattern().IsMatch(id)
            ? null
            : "has wrong format. IDs can contain lowercase letters, numbers, dashes and underscores and should have a maximum length of 36";
    }

    [GeneratedRegex("^[0-9a-z](?:[_-]?[0-9a-z]){1,35}\\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex IdPattern();

    private static void CheckIds(string what, string app, string? dev = null)
    {
        if (WhyNotId(app) is { } appReason)
            throw new GrpcStatusException(GrpcCode.InvalidArgument, $"{what}: AppID not valid: {appReason}");
        if (dev is not null && WhyNotId(dev) is { } devReason)
            throw new GrpcStatusException(GrpcCode.InvalidArgument, $"{what}: DevID not valid: {devReason}");
    }

    private static ulong Number(GrpcCall call, string key)
    {
        if (call.First(key) is not { } text)
            return 0;
        if (text.Length > 0 && text.All(char.IsAsciiDigit))
        {
            return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
                ? value
                : throw new GrpcStatusException(GrpcCode.Unknown, $"strconv.ParseUint: parsing \"{text}\": value out of range");
        }
        throw new GrpcStatusException(GrpcCode.Unknown, $"strconv.ParseUint: parsing \"{text}\": invalid syntax");
    }

    private static void CheckAttributes(IEnumerable<KeyValuePair<string, string>> attributes)
    {
        var custom = 0;
        foreach (var (key, value) in attributes)
        {
            if (BuiltinAttributes.Contains(key))
                continue;
            if (System.Text.Encoding.UTF8.GetByteCount(key) > 64)
                throw new GrpcStatusException(GrpcCode.Unknown, $"Attribute key \"{key}\" exceeds maximum length (64)");
            if (System.Text.Encoding.UTF8.GetByteCount(value) > 64)
                throw new GrpcStatusException(GrpcCode.Unknown, $"Attribute value for key \"{key}\" exceeds maximum length (64)");
            if (++custom > 5)
                throw new GrpcStatusException(GrpcCode.Unknown, "Maximum number of custom attributes (5) exceeded");
        }
    }

    private async Task<DeviceList> ListAsync(GrpcCall call, ApplicationIdentifier request)
    {
        CheckIds("Invalid Application Identifier", request.AppId);
        await EnterAsync(call, request.AppId, "devices");
        var limit = Number(call, "limit");
        var offset = Number(call, "offset");
        var (page, total) = Store.List(request.AppId, limit, offset);
        call.ResponseHeaders["total"] = total.ToString(CultureInfo.InvariantCulture);
        call.ResponseHeaders["selected"] = page.Count.ToString(CultureInfo.InvariantCulture);
        var list = new DeviceList();
        foreach (var device in page)
            list.Devices.Add(device.ToMessage(counters: null));
        return list;
    }

    private async Task<Device> GetAsync(GrpcCall call, DeviceIdentifier request)
    {
        CheckIds("Invalid Device Identifier", request.AppId, request.DevId);
        var subject = await EnterAsync(call, request.AppId, "devices");
        var device = Existing(request);
        NetworkServerRecord counters;
        try
        {
            counters = await broker.GetAsync(device, subject, call.Cancellation);
        }
        catch (GrpcStatusException e) when (e.Status.Code == GrpcCode.NotFound)
        {
            await broker.SetAsync(device, 0, 0, subject, call.Cancellation, again: true);
            counters = new NetworkServerRecord { AppId = device.AppId, DevId = device.DevId };
        }
        return device.ToMessage(counters);
    }

    private async Task<Empty> SetAsync(GrpcCall call, Device request)
    {
        CheckIds("Invalid Device", request.AppId, request.DevId);
        if (request.LorawanDevice is not { } lorawan)
            throw new GrpcStatusException(GrpcCode.InvalidArgument, "Invalid Device: Device not valid: can not be empty");
        CheckIds("Invalid Device: Invalid Device: Invalid LoRaWANDevice", lorawan.AppId, lorawan.DevId);
        var subject = await EnterAsync(call, request.AppId, "devices");

        var old = Store.Find(request.AppId, request.DevId);
        var device = (old ?? new StoredDevice { AppId = request.AppId, DevId = request.DevId }).After(request);
        if (old is null && Store.FindByEuis(request.AppId, device.Euis) is not null)
            throw new GrpcStatusException(GrpcCode.AlreadyExists, "Device with AppEUI and DevEUI already exists");
        if (old is not null && old.Euis != device.Euis)
            await broker.DeleteAsync(old, subject, call.Cancellation);
        await broker.SetAsync(device, lorawan.FCntUp, lorawan.FCntDown, subject, call.Cancellation);
        // The attributes are looked at when the network server has already changed.
        CheckAttributes(device.Attributes);
        Store.Put(device);
        return new Empty();
    }

    private async Task<Empty> DeleteAsync(GrpcCall call, DeviceIdentifier request)
    {
        CheckIds("Invalid Device Identifier", request.AppId, request.DevId);
        var subject = await EnterAsync(call, request.AppId, "devices");
        var device = Existing(request);
        try
        {
            await broker.DeleteAsync(device, subject, call.Cancellation);
        }
        catch (GrpcStatusException e) when (e.Status.Code == GrpcCode.NotFound)
        {
            // The network server has lost it already.
        }
        Store.Remove(request.AppId, request.DevId);
        return new Empty();
    }

    private async Task<Application> GetApplicationAsync(GrpcCall call, ApplicationIdentifier request)
    {
        CheckIds("Invalid Application Identifier", request.AppId);
        await EnterAsync(call, request.AppId, "settings");
        return settings.GetValueOrDefault(request.AppId) ?? new Application { AppId = request.AppId };
    }

    private async Task<Empty> SetApplicationAsync(GrpcCall call, Application request)
    {
        CheckIds("Invalid Application", request.AppId);
        await EnterAsync(call, request.AppId, "settings");
        Configure(request);
        return new Empty();
    }

    private async Task<Empty> RegisterApplicationAsync(GrpcCall call, ApplicationIdentifier request)
    {
        CheckIds("Invalid Application Identifier", request.AppId);
        await EnterAsync(call, request.AppId, "settings", mustExist: false);
        return Store.AddApplication(request.AppId)
            ? new Empty()
            : throw new GrpcStatusException(GrpcCode.AlreadyExists, "Application already exists");
    }

    private StoredDevice Existing(DeviceIdentifier id) => Store.Find(id.AppId, id.DevId)
        ?? throw new GrpcStatusException(GrpcCode.NotFound, $"handler:device:{id.AppId}:{id.DevId} not found");

    /// <summary>Credentials, limits, right and application; gives the token's subject.</summary>
    private async Task<string> EnterAsync(GrpcCall call, string app, string right, bool mustExist = true)
    {
        if (call.First("service-name")?.Contains("integration-aws", StringComparison.Ordinal) == true)
            await Task.Delay(TimeSpan.FromMilliseconds(500), clock, call.Cancellation);
        var claims = Authenticate(call, app);
        await Clients.TakeAsync(claims.Subject, call.Cancellation);
        await Applications.TakeAsync(app, call.Cancellation);
        if (!claims.Allows(app, right))
            throw new GrpcStatusException(GrpcCode.PermissionDenied, $"permission denied: No \"{right}\" rights to Application \"{app}\"");
        if (mustExist && !Store.HasApplication(app))
        {
            throw new GrpcStatusException(
                GrpcCode.NotFound, $"Application not registered to this Handler: handler:application:{app} not found");
        }
        return claims.Subject;
    }

    private TokenClaims Authenticate(GrpcCall call, string app)
    {
        var token = call.First("token");
        if (token is null)
        {
            if (call.First("key") is not { } key)
                throw new GrpcStatusException(GrpcCode.InvalidArgument, "Metadata not valid: neither token nor key present");
            if (AccountServer.IssuerOf(key) is { } issuer && issuer != TokenIssuer.Issuer)
                throw new GrpcStatusException(GrpcCode.Unknown, $"Auth server \"{issuer}\" not registered");
            try
            {
                token = TokenOf(app, AccountServer.WithIssuer(key));
            }
            catch (AccountServerException e)
            {
                throw new GrpcStatusException(GrpcCode.Unknown, e.Message);
            }
        }
        try
        {
            return accountServer.Tokens.Read(token, clock.GetUtcNow().ToUnixTimeSeconds());
        }
        catch (TokenException e)
        {
            throw new GrpcStatusException(GrpcCode.PermissionDenied, $"permission denied: unable to parse token: {e.Message}");
        }
    }

    private string TokenOf(string app, string key)
    {
        if (tokens.TryGetValue((app, key), out var held) && held.Expires - clock.GetUtcNow() > TimeSpan.FromMinutes(1))
            return held.Token;
        var (token, lifetime) = accountServer.Exchange(app, key);
        tokens[(app, key)] = (token, clock.GetUtcNow() + lifetime);
        return token;
    }
}
