using Rpc;
using TheThingsStack.Errors;

namespace TheThingsStack.Registries;

/// <summary>A call to a server of The Things Stack that failed for good: retries did not help, or would not.</summary>
public sealed class RegistryException : FailureException
{
    /// <summary>Makes a failure of a call.</summary>
    public RegistryException(Failure failure, RpcException cause)
        : base(failure, cause)
    {
        Cause = cause;
    }

    /// <summary>The call's own failure.</summary>
    public RpcException Cause { get; }

    /// <summary>The status the server gave, or what stands for it.</summary>
    public StatusCode StatusCode => Cause.StatusCode;

    /// <summary>Name of the error with its namespace, e.g. <c>pkg/networkserver:field_value</c>; empty when the server gave no details.</summary>
    public string ErrorName => Failure.Namespace is null ? "" : $"{Failure.Namespace}:{Failure.Name}";

    /// <summary>The server says that there is no such device (or other entity).</summary>
    public bool IsNotFound => Cause.Origin == RpcFailureOrigin.Server && StatusCode == StatusCode.NotFound;

    /// <summary>The server says that the ID or the EUIs belong to another device.</summary>
    public bool IsAlreadyExists => Cause.Origin == RpcFailureOrigin.Server && StatusCode == StatusCode.AlreadyExists;

    /// <summary>The server has no such service: it is of another kind, or of an older version.</summary>
    public bool IsUnimplemented => Cause.Origin == RpcFailureOrigin.Server && StatusCode == StatusCode.Unimplemented;

    /// <summary>Refused for load or for a rate limit, or not answered in time: the server wants fewer calls.</summary>
    public bool IsOverload => RegistryErrors.IsOverload(Cause);

    /// <summary>Whether the server may have carried out the call all the same, in this or an earlier attempt.</summary>
    public bool MayHaveActed { get; init; }

    /// <summary>Time from the first attempt to the failure.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>The server has given no call an answer that can be used for a good while, or never has.</summary>
    public bool ServerIsGone { get; init; }

    /// <summary>Every other device would fail alike: no way to the server, or it does not accept the key or the application.</summary>
    public bool ConcernsAll => ServerIsGone || RegistryErrors.ConcernsAll(Cause, ErrorName);
}
