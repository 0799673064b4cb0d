using TheThingsStack.Errors;

namespace TheThingsStack.Tests.Errors;

/// <summary>Words for what the operating system refused.</summary>
public sealed class SystemReasonTests
{
    [Fact]
    public void A_folder_given_as_a_file_is_called_one_and_what_may_not_be_opened_is_not()
    {
        var folder = Directory.CreateTempSubdirectory();
        var denied = Assert.ThrowsAny<Exception>(() => File.OpenRead(folder.FullName).Dispose());

        Assert.Equal("is a directory", SystemReason.Of(denied, folder.FullName));
        Assert.Equal("permission denied", SystemReason.Of(new UnauthorizedAccessException("Access to the path '/x' is denied."), "/no/such/file"));
        folder.Delete();
    }

    [Theory]
    [InlineData("No space left on device : '/tmp/x'", "no space left on device")]
    [InlineData("I/O error.", "I/O error")]
    public void The_words_of_the_system_come_without_the_path(string message, string expected) =>
        Assert.Equal(expected, SystemReason.Of(new IOException(message)));

    [Fact]
    public void What_is_not_there_is_told_as_system_tools_do() =>
        Assert.Equal("no such file or directory", SystemReason.Of(new DirectoryNotFoundException("Could not find a part of the path '/x/y'."), "/x/y"));
}
