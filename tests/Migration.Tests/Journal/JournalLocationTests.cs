using Migration.Journal;
using TheThingsStack.Errors;

namespace Migration.Tests.Journal;

public sealed class JournalLocationTests
{
    [Theory]
    [InlineData("/state", "/home/u", "/state/ttn-lw-migrate")]
    [InlineData("relative", "/home/u", "/home/u/.local/state/ttn-lw-migrate")]
    [InlineData("", "/home/u", "/home/u/.local/state/ttn-lw-migrate")]
    [InlineData(null, "/home/u", "/home/u/.local/state/ttn-lw-migrate")]
    public void Journals_are_in_the_state_folder_of_the_user(string? state, string home, string expected) =>
        Assert.Equal(expected, JournalLocation.StateFolder(name => name switch { "XDG_STATE_HOME" => state, "HOME" => home, _ => null }, isWindows: false));

    [Fact]
    public void On_Windows_journals_are_in_the_local_application_data() =>
        Assert.Equal(Path.Combine("C:/Users/u/AppData/Local", "ttn-lw-migrate"),
            JournalLocation.StateFolder(name => name == "LOCALAPPDATA" ? "C:/Users/u/AppData/Local" : null, isWindows: true));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Without_a_home_the_user_is_asked_for_a_file(bool isWindows)
    {
        var failure = Assert.Throws<FailureException>(() => JournalLocation.StateFolder(_ => null, isWindows)).Failure;
        Assert.Equal("no_state_folder", failure.Name);
        Assert.Contains("--journal FILE", failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ttnv2", "discovery.thethings.network:1900", "my-app", "ttnv2_discovery.thethings.network-1900_my-app.journal")]
    [InlineData("tts", "", "a/b", "tts_a-b.journal")]
    [InlineData("tts", "[::1]:8884", "..", "tts_---1--8884_...journal")]
    public void The_file_is_named_after_source_network_and_application(string source, string server, string application, string expected) =>
        Assert.Equal(expected, JournalLocation.FileName(new JournalScope(source, server), application));
}
