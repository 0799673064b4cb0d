namespace Rpc;

/// <summary>Placeholder replaced by the unary gRPC client.</summary>
internal static class Placeholder;
