using System.Text;

namespace Cli.Tests;

/// <summary>Bad flags, variables, lists, addresses and files: each with everything that is printed, and the exit code.</summary>
public sealed class BadInputTests
{
    private const string V2 = "error:go.thethings.network/lorawan-stack-migrate/pkg/source/ttnv2:";
    private const string Source = "error:go.thethings.network/lorawan-stack-migrate/pkg/source";
    private const string Names = "awsiot, chirpstack, firefly, ttnv2, tts, wanesy";
    private const string Full = "ttnv2 device x --app-id my-app --app-access-key k --frequency-plan-id EU_863_870_TTN ";

    /// <summary>Command line (| between words), standard input, what follows "Error: " (printed again as first line of the stack), attributes, hint.</summary>
    public static TheoryData<string, string, string, string, string> Cases => new()
    {
        // Flags.
        { "--version", "", "unknown flag: --version", "", "" },
        { "-v", "", "unknown shorthand flag: 'v' in -v", "", "" },
        { "ttnv2|device|-verbose", "", "unknown shorthand flag: 'v' in -verbose", "", "Flags of several letters have two dashes: --verbose." },
        { "ttnv2|device|--verbos", "", "unknown flag: --verbos", "", "Did you mean --verbose?" },
        { "ttnv2|device|--ttnv2.app-id=a", "", "unknown flag: --ttnv2.app-id", "", "Under \"ttn-lw-migrate ttnv2 device\" flags have no prefix: write --app-id." },
        { "ttnv2|--dryrun", "", "unknown flag: --dryrun", "", "Did you mean --dry-run?" },
        { "ttnv2|device|--with-session=no", "", "invalid argument \"no\" for \"--with-session\" flag: strconv.ParseBool: parsing \"no\": invalid syntax", "", "Write --with-session=true or --with-session=false." },
        { "ttnv2|device|--with-session=\t", "", "invalid argument \"\\t\" for \"--with-session\" flag: strconv.ParseBool: parsing \"\\t\": invalid syntax", "", "Write --with-session=true or --with-session=false." },
        { "ttnv2|device|--app-id", "", "flag needs an argument: --app-id", "", "" },
        { "ttnv2|device|---x", "", "bad flag syntax: ---x", "", "" },
        { "completion|bash|extra", "", "unknown command \"extra\" for \"ttn-lw-migrate completion bash\"", "", "" },
        { "__complete", "", "requires at least 1 arg(s), only received 0", "", "" },
        // Required values.
        { "ttnv2|device|x", "", V2 + "no_app_id (no app id)", "", "Give --app-id or the environment variable TTNV2_APP_ID." },
        { "ttnv2|device|x|--app-id=a", "", V2 + "no_app_access_key (no app access key)", "", "Give --app-access-key or the environment variable TTNV2_APP_ACCESS_KEY." },
        { "ttnv2|application|x|--app-id=a|--app-access-key=k", "", V2 + "no_frequency_plan_id (no frequency plan id)", "", "Give --frequency-plan-id or the environment variable FREQUENCY_PLAN_ID." },
        { "tts|device|x", "", Source + "/tts/config:no_app_id (no app id)", "", "Give --app-id or the environment variable TTS_APP_ID." },
        { "tts|device|x|--app-id=a|--app-api-key=k|--application-server-grpc-address=h:1|--identity-server-grpc-address=h:1", "", Source + "/tts/config:no_join_server_grpc_address (no join server grpc address)", "", "Give --join-server-grpc-address or the environment variable TTS_JOIN_SERVER_GRPC_ADDRESS; or one address for all servers with --default-grpc-address or the environment variable TTS_DEFAULT_GRPC_ADDRESS." },
        { "tts|device|x|--app-id=a|--app-api-key=k|--default-grpc-address=h:1|--ca-file=no.pem", "", "open no.pem: no such file or directory", "", "The path comes from --ca-file." },
        { "chirpstack|device|x", "", Source + "/chirpstack/config:no_api_token (no API token)", "", "Give --api-key or the environment variable CHIRPSTACK_API_KEY." },
        { "chirpstack|device|x|--api-key=k|--api-url=u|--frequency-plan-id=f|--join-eui=12", "", Source + "/chirpstack/config:invalid_join_eui (invalid JoinEUI `12`)", "join_eui=12", "A JoinEUI has 16 hexadecimal digits; give --join-eui or the environment variable JOIN_EUI." },
        { "firefly|device|x|--app-id=a|--frequency-plan-id=f|--join-eui=1111111111111111|--host=h|--api-key=k|--mac-version=1.0.4", "", Source + "/firefly:invalid_mac_version (invalid MAC version `1.0.4`)", "mac_version=1.0.4", "Give --mac-version or the environment variable MAC_VERSION; one of 1.0.0, 1.0.1, 1.0.2a, 1.0.2b, 1.0.3, 1.1.0a, 1.1.0b." },
        { "awsiot|device|x", "", Source + "/awsiot:no_app_id (no app id)", "", "Give --app-id or the environment variable APP_ID." },
        { "wanesy|device|x|--app-id=a|--frequency-plan-id=f", "", Source + "/wanesy:no_csv_file_provided (no csv file provided)", "", "Give --csv-path or the environment variable CSV_PATH." },
        { "wanesy|device|x|--app-id=a|--frequency-plan-id=f|--csv-path=no.csv", "", "open no.csv: no such file or directory", "", "The path comes from --csv-path." },
        { "ttnv2|device|x|--ca-cert=no.pem", "", "open no.pem: no such file or directory", "", "The path comes from --ca-cert." },
        // Values.
        { Full + "--frequency-plans-url=not-a-url", "", "error:pkg/fetch:scheme_not_specified (URI scheme not specified)", "", "--frequency-plans-url is \"not-a-url\"; write it with https:// or http://." },
        { Full + "--frequency-plans-url=/plans", "", "error:pkg/fetch:scheme_not_specified (URI scheme not specified)", "", "--frequency-plans-url is \"/plans\"; write it with https:// or http://." },
        // Lists on standard input.
        { "ttnv2|device|--app-id=my-app|--app-access-key=k|--frequency-plan-id=f", "dev1\nd\0v2\n", "line 2 of standard input holds the control character U+0000", "", "Save the list as plain text, one ID per line." },
        { "ttnv2|device|--app-id=my-app|--app-access-key=k|--frequency-plan-id=f", "dev1\n\u001b[2J\n", "line 2 of standard input holds the control character U+001B", "", "Save the list as plain text, one ID per line." },
        { "ttnv2|device|--app-id=my-app|--app-access-key=k|--frequency-plan-id=f", "LONG", "line 1 of standard input is longer than 1024 characters", "", "Is this really a list of IDs, one per line?" },
        { "ttnv2|device|--app-id=my-app|--app-access-key=k|--frequency-plan-id=f", "LATIN1", "line 1 of standard input is not UTF-8 text", "", "Save the list as UTF-8, one ID per line." },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Bad_input_is_named_and_nothing_is_written(string words, string input, string message, string attributes, string hint)
    {
        var result = await new CliRun(words.Replace(' ', '|').Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            Input = input switch
            {
                "LONG" => Encoding.UTF8.GetBytes(new string('x', 5000)),
                "LATIN1" => [0x64, 0xE9, 0x76, 0x0A],
                _ => Encoding.UTF8.GetBytes(input),
            },
        }.RunAsync();
        var expected = $"Error: {message}\n{message}\n"
            + (attributes.Length == 0 ? "" : $"    {attributes}\n")
            + (hint.Length == 0 ? "" : $"hint: {hint}\n");
        Assert.Equal(new CliResult(1, "", expected), result);
    }

    [Theory]
    [InlineData("device|x", "no_source (no source)", "")]
    [InlineData("device|x|--source=", "no_source (no source)", "")]
    [InlineData("device|x|--source=ttn", "not_registered (source `ttn` is not registered)", "source=ttn")]
    [InlineData("application|x|--source=ttnv1", "not_registered (source `ttnv1` is not registered)", "source=ttnv1")]
    public async Task A_source_that_is_missing_or_unknown_is_named_after_the_deprecation(string words, string message, string attributes)
    {
        var result = await CliRun.Of(words.Split('|'));
        var first = $"Command \"{words.Split('|')[0]}\" is deprecated, use [awsiot|chirpstack|firefly|ttnv2|tts|wanesy] commands instead\n";
        Assert.Equal(
            new CliResult(1, "", $"{first}Error: {Source}:{message}\n{Source}:{message}\n{(attributes.Length == 0 ? "" : $"    {attributes}\n")}hint: Give --source with one of {Names}.\n"),
            result);
    }

    [Theory]
    [InlineData("device|--app-id=a", "--app-id", "--awsiot.app-id, --firefly.app-id, --ttnv2.app-id, --tts.app-id, --wanesy.app-id")]
    [InlineData("device|--with-session=false", "--with-session", "--ttnv2.with-session")]
    public async Task A_flag_without_the_prefix_of_its_source_is_shown_with_it(string words, string flag, string prefixed)
    {
        var result = await CliRun.Of(words.Split('|'));
        Assert.Equal(1, result.ExitCode);
        Assert.EndsWith($"Error: unknown flag: {flag}\nunknown flag: {flag}\nhint: With --source, flags have the prefix of the source: {prefixed}.\n", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ttnv4", "\n\nDid you mean this?\n\tttnv2\n")]
    [InlineData("verion", "\n\nDid you mean this?\n\tversion\n")]
    [InlineData("quux", "")]
    [InlineData("\"ttnv2\"", "\n\nDid you mean this?\n\tttnv2\n")]
    public async Task An_unknown_command_is_named_with_what_is_near(string word, string suggestion)
    {
        var message = $"unknown command \"{word.Replace("\"", "\\\"", StringComparison.Ordinal)}\" for \"ttn-lw-migrate\"{suggestion}";
        Assert.Equal(new CliResult(1, "", $"Error: {message}\nRun 'ttn-lw-migrate --help' for usage.\n{message}\n"), await CliRun.Of(word));
    }

    [Theory]
    [InlineData("devices2", "device")]
    [InlineData("aplication", "application")]
    public async Task A_command_of_the_guide_that_was_mistyped_is_suggested_although_it_is_deprecated(string word, string suggestion)
    {
        var result = await CliRun.Of(word, "--source", "ttnv2");
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.EndsWith($"hint: Did you mean {suggestion}?\n", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ttnv2 aplication my-app", "note: unknown command \"aplication\" for \"ttn-lw-migrate ttnv2\": nothing was done; did you mean application?\n")]
    [InlineData("ttnv2 quux", "note: unknown command \"quux\" for \"ttn-lw-migrate ttnv2\": nothing was done\n")]
    [InlineData("ttnv2", "")]
    [InlineData("ttnv2 quux --help", "")]
    public async Task A_mistyped_command_of_a_source_is_noted_beside_its_help(string words, string note)
    {
        var result = await CliRun.Of(words.Split(' '));
        Assert.Equal((0, note), (result.ExitCode, result.Error));
        Assert.StartsWith("Export devices from TTN V2\n", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "rollback", "dev1", "--default-grpc-address")]
    [InlineData(2, "ttnv2 retire --yes", "", "--ids-from")]
    [InlineData(2, "import", "devices.json", "--journal")]
    [InlineData(1, "ttnv2 application", "my-app", "--import-to")]
    public async Task A_flag_that_the_Go_tool_does_not_have_is_not_left_empty_by_a_variable_that_was_not_set(int exitCode, string command, string argument, string flag)
    {
        var result = await CliRun.Of([.. command.Split(' '), .. argument.Length > 0 ? (string[])[argument] : [], flag, ""]);
        Assert.Equal(new CliResult(exitCode, "", $"Error: {flag} is empty: was a variable not set?\n{flag} is empty: was a variable not set?\n"), result);
    }

    [Fact]
    public async Task A_mistyped_command_of_the_journal_is_an_error()
    {
        var result = await CliRun.Of("journal", "shw", "dev1");
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Contains("unknown command \"shw\" for \"ttn-lw-migrate journal\"\n\nDid you mean this?\n\tshow\n", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TTNV2_APP_ID", "\"my-app\"", "invalid_app_id", "app id `\"my-app\"` has quotes in it", "TTNV2_APP_ID was set with quotes that became part of the value; with `set` on Windows write the value without quotes")]
    [InlineData("TTNV2_APP_ID", "'my-app'", "invalid_app_id", "app id `'my-app'` has quotes in it", "TTNV2_APP_ID was set with quotes that became part of the value; with `set` on Windows write the value without quotes")]
    [InlineData("TTNV2_APP_ID", "ttn-v2-application-ID", "invalid_app_id", "app id `ttn-v2-application-ID` is the placeholder of the guide", "put the value itself into TTNV2_APP_ID")]
    [InlineData("TTNV2_APP_ACCESS_KEY", "\"ttn-account-v2.hush-hush\"", "invalid_app_access_key", "app access key has quotes in it", "TTNV2_APP_ACCESS_KEY was set with quotes that became part of the value; with `set` on Windows write the value without quotes")]
    [InlineData("TTNV2_APP_ACCESS_KEY", "access-key-of-your-ttn-v2-application", "invalid_app_access_key", "app access key is the placeholder of the guide", "put the value itself into TTNV2_APP_ACCESS_KEY")]
    [InlineData("TTNV2_APP_ACCESS_KEY", "hush-hush of mine", "invalid_app_access_key", "app access key has characters that no key has (blanks, line ends, accents)", "copy the key again from the V2 console into TTNV2_APP_ACCESS_KEY")]
    [InlineData("FREQUENCY_PLAN_ID", "\"EU_863_870_TTN\"", "invalid_frequency_plan_id", "frequency plan id `\"EU_863_870_TTN\"` has quotes in it", "FREQUENCY_PLAN_ID was set with quotes that became part of the value; with `set` on Windows write the value without quotes")]
    [InlineData("TTNV2_DISCOVERY_SERVER_ADDRESS", "https://discovery.example.com", "invalid_discovery_server_address", "discovery server address: \"https://discovery.example.com\" is a URL; the form is host:port, without https://", "correct TTNV2_DISCOVERY_SERVER_ADDRESS; an example is discovery.thethings.network:1900")]
    [InlineData("TTNV2_DISCOVERY_SERVER_ADDRESS", "discovery.example.com", "invalid_discovery_server_address", "discovery server address: \"discovery.example.com\" has no port; the form is host:port", "correct TTNV2_DISCOVERY_SERVER_ADDRESS; an example is discovery.thethings.network:1900")]
    [InlineData("TTNV2_DISCOVERY_SERVER_ADDRESS", "<instance-id>.thethings.industries:1900", "invalid_discovery_server_address", "discovery server address `<instance-id>.thethings.industries:1900` is the placeholder of the guide", "put the value itself into TTNV2_DISCOVERY_SERVER_ADDRESS")]
    [InlineData("TTNV2_HANDLER_ADDRESS", "handler.example.com:port", "invalid_handler_address", "handler address: \"handler.example.com:port\" has a port that is not a number; the form is host:port", "correct TTNV2_HANDLER_ADDRESS; an example is discovery.thethings.network:1900")]
    public async Task A_variable_with_quotes_a_placeholder_or_a_wrong_address_is_refused_by_its_name_without_its_secret(
        string variable, string value, string error, string message, string hint)
    {
        var variables = new Dictionary<string, string>
        {
            ["TTNV2_APP_ID"] = "my-app",
            ["TTNV2_APP_ACCESS_KEY"] = "ttn-account-v2.key",
            ["FREQUENCY_PLAN_ID"] = "EU_863_870_TTN",
            [variable] = value,
        };
        var result = await new CliRun("ttnv2", "device", "dev1") { Variables = variables }.RunAsync();
        var line = $"{V2}{error} ({message})";
        Assert.Equal(new CliResult(1, "", $"Error: {line}\n{line}\nhint: {hint}\n"), result);
    }
}
