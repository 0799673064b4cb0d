using Cli.CommandLine;
using Cli.Commands;

namespace Cli.Tests.CommandLine;

/// <summary>facts/cli-surface.md section 4.</summary>
public sealed class FlagParserTests
{
    [Theory]
    [InlineData("--app-id=a", "a", "")]
    [InlineData("--app-id a", "a", "")]
    [InlineData("--app-id= x", "", "x")]
    [InlineData("--app-id -x", "-x", "")]
    [InlineData("--app-id -- x", "--", "x")]
    [InlineData("--app-id=a=b", "a=b", "")]
    [InlineData("--app-id a --app-id b", "b", "")]
    [InlineData("x --app-id a y", "a", "x y")]
    [InlineData("-- --app-id a", "", "--app-id a")]
    [InlineData("- x", "", "- x")]
    [InlineData("@ids.txt", "", "@ids.txt")]
    public void A_text_flag_takes_its_value_and_leaves_the_arguments(string words, string value, string arguments)
    {
        var parsed = Parse(words);
        Assert.Equal(value, parsed.Given.TryGetValue("ttnv2.app-id", out var given) ? given.Text : "");
        Assert.Equal(arguments, string.Join(' ', parsed.Arguments));
    }

    [Theory]
    [InlineData("--with-session", true, "")]
    [InlineData("--with-session=1", true, "")]
    [InlineData("--with-session=t", true, "")]
    [InlineData("--with-session=TRUE", true, "")]
    [InlineData("--with-session=0", false, "")]
    [InlineData("--with-session=F", false, "")]
    [InlineData("--with-session=False", false, "")]
    [InlineData("--with-session false", true, "false")]
    [InlineData("--with-session=false --with-session", true, "")]
    [InlineData("--with-session --with-session=false", false, "")]
    public void A_switch_never_takes_the_next_word_and_the_last_one_wins(string words, bool on, string arguments)
    {
        var parsed = Parse(words);
        var command = CommandFinder.Find(CommandTree.Create(), ["ttnv2", "device"]).Command;
        Assert.Equal(on, new FlagValues(command, parsed.Given, _ => null).IsOn("ttnv2.with-session"));
        Assert.Equal(arguments, string.Join(' ', parsed.Arguments));
    }

    [Theory]
    [InlineData("--bogus x", "unknown flag: --bogus")]
    [InlineData("--app x", "unknown flag: --app")]
    [InlineData("--ttnv2.app-id x", "unknown flag: --ttnv2.app-id")]
    [InlineData("-app-id x", "unknown shorthand flag: 'a' in -app-id")]
    [InlineData("-hx", "unknown shorthand flag: 'x' in -x")]
    [InlineData("-é", "unknown shorthand flag: 'Ã' in -é")]
    [InlineData("---app-id", "bad flag syntax: ---app-id")]
    [InlineData("--=x", "bad flag syntax: --=x")]
    [InlineData("--app-id", "flag needs an argument: --app-id")]
    [InlineData("--dry-run=maybe", "invalid argument \"maybe\" for \"--dry-run\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax")]
    [InlineData("--dry-run=", "invalid argument \"\" for \"--dry-run\" flag: strconv.ParseBool: parsing \"\": invalid syntax")]
    [InlineData("--help=what", "invalid argument \"what\" for \"-h, --help\" flag: strconv.ParseBool: parsing \"what\": invalid syntax")]
    public void What_cannot_be_understood_is_named(string words, string message) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => Parse(words)).Message);

    [Theory]
    [InlineData("ttnv2 device x", "ttnv2 device", "x")]
    [InlineData("--dry-run ttnv2 device x", "ttnv2 device", "--dry-run x")]
    [InlineData("--app-id a ttnv2 --verbose device x", "ttnv2 device", "--app-id a --verbose x")]
    [InlineData("--source ttnv2 device x", "device", "--source ttnv2 x")]
    [InlineData("tts apps", "tts application", "")]
    [InlineData("ttnv3 d", "tts device", "")]
    [InlineData("ttnv2 bogus", "ttnv2", "bogus")]
    [InlineData("-- ttnv2", "", "-- ttnv2")]
    public void The_command_is_found_among_flags(string words, string path, string left)
    {
        var (command, rest) = CommandFinder.Find(CommandTree.Create(), words.Split(' '));
        Assert.Equal(("ttn-lw-migrate " + path).Trim(), command.Path);
        Assert.Equal(left, string.Join(' ', rest));
    }

    [Theory]
    [InlineData("ttnv2", "app-id", "TTNV2_APP_ID")]
    [InlineData("ttnv2", "app-access-key", "TTNV2_APP_ACCESS_KEY")]
    [InlineData("ttnv2", "frequency-plan-id", "FREQUENCY_PLAN_ID")]
    [InlineData("ttnv2", "discovery-server-address", "TTNV2_DISCOVERY_SERVER_ADDRESS")]
    [InlineData("ttnv2", "account-server-address", "TTNV2_ACCOUNT_SERVER_ADDRESS")]
    [InlineData("ttnv2", "account-server-client-id", "TTNV2_ACCOUNT_SERVER_CLIENT_ID")]
    [InlineData("ttnv2", "account-server-client-secret", "TTNV2_ACCOUNT_SERVER_CLIENT_SECRET")]
    [InlineData("ttnv2", "handler-address", "TTNV2_HANDLER_ADDRESS")]
    [InlineData("ttnv2", "ca-cert", "TTNV2_CA_CERT")]
    [InlineData("tts", "app-id", "TTS_APP_ID")]
    [InlineData("tts", "app-id", "TTNV3_APP_ID")]
    [InlineData("tts", "app-api-key", "TTS_APP_API_KEY")]
    [InlineData("tts", "app-api-key", "TTNV3_APP_API_KEY")]
    [InlineData("tts", "default-grpc-address", "TTS_DEFAULT_GRPC_ADDRESS")]
    [InlineData("tts", "identity-server-grpc-address", "TTS_IDENTITY_SERVER_GRPC_ADDRESS")]
    [InlineData("tts", "application-server-grpc-address", "TTS_APPLICATION_SERVER_GRPC_ADDRESS")]
    [InlineData("tts", "join-server-grpc-address", "TTS_JOIN_SERVER_GRPC_ADDRESS")]
    [InlineData("tts", "network-server-grpc-address", "TTNV3_NETWORK_SERVER_GRPC_ADDRESS")]
    [InlineData("tts", "ca-file", "TTS_CA_FILE")]
    [InlineData("chirpstack", "api-url", "CHIRPSTACK_API_URL")]
    [InlineData("chirpstack", "api-key", "CHIRPSTACK_API_KEY")]
    [InlineData("chirpstack", "api-key", "CHIRPSTACK_API_TOKEN")]
    [InlineData("chirpstack", "ca-cert-path", "CHIRPSTACK_CA_CERT_PATH")]
    [InlineData("chirpstack", "ca-cert-path", "CHIRPSTACK_API_CA")]
    [InlineData("chirpstack", "join-eui", "JOIN_EUI")]
    [InlineData("firefly", "host", "FIREFLY_HOST")]
    [InlineData("firefly", "api-key", "FIREFLY_API_KEY")]
    [InlineData("firefly", "ca-cert-path", "FIREFLY_CA_CERT_PATH")]
    [InlineData("firefly", "mac-version", "MAC_VERSION")]
    [InlineData("firefly", "app-id", "APP_ID")]
    [InlineData("wanesy", "csv-path", "CSV_PATH")]
    [InlineData("awsiot", "frequency-plan-id", "FREQUENCY_PLAN_ID")]
    public void A_variable_is_the_default_of_its_flag_in_both_forms_and_the_flag_beats_it(string source, string flag, string variable)
    {
        string? Environment(string name) => name == variable ? "from-environment" : null;
        foreach (var (path, name) in new[] { ($"{source} device", flag), ($"{source} application", flag), ("device", $"{source}.{flag}") })
        {
            var command = CommandFinder.Find(CommandTree.Create(), path.Split(' ')).Command;
            var target = $"{source}.{flag}";
            Assert.Equal("from-environment", new FlagValues(command, new Dictionary<string, GivenValue>(), Environment).Text(target));
            var given = FlagParser.Parse(command, [$"--{name}=typed"]).Given;
            Assert.Equal("typed", new FlagValues(command, given, Environment).Text(target));
            var secret = command.FindFlag(name)!.Secret;
            var empty = FlagParser.Parse(command, [$"--{name}="]).Given;
            Assert.Equal(secret ? "from-environment" : "", new FlagValues(command, empty, Environment).Text(target));
        }
    }

    [Theory]
    [InlineData("ttnv2", "with-session", "TTNV2_WITH_SESSION", "true", true)]
    [InlineData("ttnv2", "with-session", "TTNV2_WITH_SESSION", "", true)]
    [InlineData("ttnv2", "with-session", "TTNV2_WITH_SESSION", "false", false)]
    [InlineData("ttnv2", "with-session", "TTNV2_WITH_SESSION", "1", false)]
    [InlineData("ttnv2", "discovery-server-insecure", "TTNV2_DISCOVERY_SERVER_INSECURE", "TRUE", false)]
    [InlineData("ttnv2", "resets-to-frequency-plan", "TTNV2_RESETS_TO_FREQUENCY_PLAN", "true", true)]
    [InlineData("tts", "insecure", "TTS_INSECURE", "true", true)]
    [InlineData("tts", "no-session", "TTS_NO_SESSION", "true", true)]
    [InlineData("tts", "delete-source-device", "TTS_DELETE_SOURCE_DEVICE", "true", true)]
    [InlineData("chirpstack", "insecure", "CHIRPSTACK_INSECURE", "true", true)]
    [InlineData("chirpstack", "insecure", "CHIRPSTACK_API_INSECURE", "1", true)]
    [InlineData("chirpstack", "insecure", "CHIRPSTACK_API_INSECURE", "true", false)]
    [InlineData("chirpstack", "export-session", "EXPORT_SESSION", "true", true)]
    [InlineData("chirpstack", "export-session", "CHIRPSTACK_EXPORT_SESSION", "true", true)]
    [InlineData("chirpstack", "export-vars", "EXPORT_VARS", "yes", false)]
    [InlineData("firefly", "invalidate-keys", "INVALIDATE_KEYS", "true", true)]
    [InlineData("firefly", "all", "EXPORT_ALL", "true", true)]
    [InlineData("firefly", "use-http", "FIREFLY_USE_HTTP", "true", true)]
    public void A_switch_is_turned_on_by_one_word_only(string source, string flag, string variable, string value, bool on)
    {
        var command = CommandFinder.Find(CommandTree.Create(), [source, "device"]).Command;
        var values = new FlagValues(command, new Dictionary<string, GivenValue>(), name => name == variable ? value : null);
        Assert.Equal(on, values.IsOn($"{source}.{flag}"));
    }

    [Theory]
    [InlineData("--ttnv3.app-id=a", "tts.app-id")]
    [InlineData("--chirpstack.api-token=a", "chirpstack.api-key")]
    [InlineData("--chirpstack.api-ca=a", "chirpstack.ca-cert-path")]
    [InlineData("--chirpstack.api-insecure", "chirpstack.insecure")]
    [InlineData("--tts.export-cacs", "tts.export-cacs")]
    [InlineData("--set-eui-as-id", "set-eui-as-id")]
    public void Old_spellings_are_accepted_and_not_shown(string word, string target)
    {
        var command = CommandFinder.Find(CommandTree.Create(), ["device"]).Command;
        Assert.True(FlagParser.Parse(command, [word]).Given.ContainsKey(target));
        Assert.DoesNotContain(word.Split('=')[0] + " ", HelpText.Help(command, _ => null), StringComparison.Ordinal);
    }

    [Fact]
    public void No_two_flags_of_a_command_share_a_name_and_global_flags_are_sorted()
    {
        var root = CommandTree.Create();
        Assert.Equal(root.PersistentFlags.Select(f => f.Name).Order(StringComparer.Ordinal), root.PersistentFlags.Select(f => f.Name));
        foreach (var command in All(root))
        {
            var names = command.LocalFlags.Concat(command.InheritedFlags).Select(f => f.Name).ToList();
            Assert.Equal(names.Distinct().Count(), names.Count);
        }
    }

    [Fact]
    public async Task Help_never_shows_a_secret()
    {
        foreach (var command in All(CommandTree.Create()).Where(c => !c.Hidden))
        {
            var words = command.Path.Split(' ').Skip(1).Append("--help").ToArray();
            var secrets = command.LocalFlags.Where(f => f.Secret).SelectMany(f => f.Variables).DistinctBy(v => v.Name).ToDictionary(v => v.Name, _ => "hush-hush");
            var result = await new CliRun(words) { Variables = secrets }.RunAsync();
            Assert.Equal(0, result.ExitCode);
            Assert.DoesNotContain("hush-hush", result.Output + result.Error, StringComparison.Ordinal);
        }
    }

    private static IEnumerable<Command> All(Command command) => command.Children.SelectMany(All).Prepend(command);

    private static ParsedWords Parse(string words) =>
        FlagParser.Parse(CommandFinder.Find(CommandTree.Create(), ["ttnv2", "device"]).Command, words.Split(' '));
}
