using Google.Protobuf.WellKnownTypes;

namespace Rpc.Tests;

public class MessageContentTests
{
    [Fact]
    public async Task A_withdrawn_request_is_never_written_to_a_connection()
    {
        using var content = Content();
        using var connection = new MemoryStream();

        Assert.True(content.Withdraw());

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => content.CopyToAsync(connection));
        Assert.Equal(0, connection.Length);
        Assert.True(content.Withdrawn);
        Assert.False(content.Taken);
    }

    [Fact]
    public async Task A_request_that_a_connection_took_cannot_be_withdrawn()
    {
        using var content = Content();
        using var connection = new MemoryStream();

        await content.CopyToAsync(connection);

        Assert.False(content.Withdraw());
        Assert.True(content.Taken);
        Assert.False(content.Withdrawn);
        Assert.NotEqual(0, connection.Length);
    }

    private static MessageContent Content()
    {
        var message = new StringValue { Value = "a request" };
        return new MessageContent(message, message.CalculateSize());
    }
}
