using System.Text;
using Cli.Tests.Golden;
using Testing;
using TheThingsStack.Errors;

namespace Cli.Tests.Export;

public sealed class ExportCommandTests
{
    [Fact]
    public async Task A_run_writes_lines_to_stdout_and_ends_with_a_summary_on_stderr()
    {
        var network = new FakeNetwork { DecidedByDefault = ["sessions are exported"] };
        network.Reject("bad", Failure.Named("source/fake", "no_keys", "the device has no keys"));
        using var folder = new TemporaryFolder();
        var result = await new CliRun("fake", "device", "dev1", "bad", "dev1", "abp1", "--app-id=app") { Sources = [network.Define()], StateFolder = folder.Path }.RunAsync();
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(["dev1", "abp1"], result.Output.TrimEnd('\n').Split('\n').Select(l => l.Split('"')[5]));
        Assert.Equal(["dev1"], network.Retired);
        Assert.Equal(
            """
            Error: error:go.thethings.network/lorawan-stack-migrate/pkg/export:export (export device `bad`)
                device_id=bad
            --- error:go.thethings.network/lorawan-stack-migrate/pkg/source/fake:no_keys (the device has no keys)
            Summary
              exported          2  of 4
              skipped           1  named more than once
              rejected          1
              retired           1
            Decided by default:
              - sessions are exported
            Why devices failed:
                  1  no_keys: the device has no keys
                     bad
            Needs a person:
                  1  abp_left_running: an ABP device is left running
                     delete it there
                     abp1
            Journal (keys and history; look with `ttn-lw-migrate status`):
              FOLDER/ttn-lw-migrate/fake_fake.example.com-1_app.journal
            Next:
              the other devices are in the file, import them now:
              ttn-lw-migrate import devices.json --application-id YOUR-APPLICATION --default-grpc-address HOST:PORT
              solve what is listed above, then export those devices:
              ttn-lw-migrate fake device --app-id=app bad > more-devices.json

            """,
            result.Error.Replace(folder.Path, "FOLDER", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_clean_dry_run_changes_nothing_and_says_the_real_command_without_the_secret()
    {
        var network = new FakeNetwork { Devices = ["dev1"] };
        var result = await Run(network, "--dry-run", "fake", "application", "my app", "--key", "hush-hush", "--key=hush-hush", "--app-id=app").RunAsync();
        Assert.Equal(0, result.ExitCode);
        Assert.Empty(network.Retired);
        Assert.Contains("retired           0  dry run: nothing was changed at fake\n", result.Error, StringComparison.Ordinal);
        Assert.EndsWith("Next:\n  ttn-lw-migrate fake application 'my app' --key '***' --key='***' --app-id=app > devices.json\n", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("hush-hush", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8_000, "; the real run takes about 2 h 13 min, by its limit of calls")]
    [InlineData(40, "")]
    [InlineData(0, "")]
    public async Task A_dry_run_says_how_long_the_limit_of_the_network_makes_the_real_run(int secondsForEach, string told)
    {
        var network = new FakeNetwork { Devices = ["dev1"], LeastTimeToRetire = TimeSpan.FromSeconds(secondsForEach) };

        var dry = await Run(network, "--dry-run", "fake", "application", "app", "--key", "k", "--app-id=app").RunAsync();
        var real = await Run(network, "fake", "application", "app", "--key", "k", "--app-id=app").RunAsync();

        Assert.Contains("dry run: nothing was changed at fake" + told + "\n", dry.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("the real run", real.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_an_application_with_failures_the_next_command_names_the_devices_that_failed()
    {
        var network = new FakeNetwork { Devices = ["dev1", "bad 1"] };
        network.Reject("bad 1", new Failure("broken"));
        var result = await Run(network, "--verbose", "application", "--source", "fake", "--fake.app-id", "app", "app", "--fake.key", "hush-hush").RunAsync();
        Assert.EndsWith(
            "  ttn-lw-migrate --verbose device --source fake --fake.app-id app --fake.key '***' 'bad 1' > more-devices.json\n",
            result.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_application_that_only_its_argument_names_is_named_in_the_command_for_the_devices_that_failed()
    {
        var network = new FakeNetwork { Devices = ["dev1", "bad"] };
        network.Reject("bad", new Failure("broken"));
        var one = await Run(network, "fake", "application", "other", "--app-id=app").RunAsync();
        var several = await Run(network, "fake", "application", "other", "another", "--app-id=app").RunAsync();
        Assert.EndsWith("\n  ttn-lw-migrate fake device --app-id=app bad --app-id other > more-devices.json\n", one.Error, StringComparison.Ordinal);
        Assert.EndsWith(
            "  solve what is listed above, then run the same command again; it writes the complete file:\n  ttn-lw-migrate fake application other another --app-id=app > devices.json\n",
            several.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_rows_of_a_file_without_a_DevEUI_the_next_command_has_a_place_for_it()
    {
        var network = new FakeNetwork { Devices = ["dev1", "devices.csv:7", "devices.csv:9"] };
        network.Reject("devices.csv:7", new Failure("broken"));
        network.Reject("devices.csv:9", new Failure("broken"));
        var result = await Run(network, "fake", "application", "app", "--app-id=app").RunAsync();
        Assert.EndsWith("\n  ttn-lw-migrate fake device --app-id=app DEVEUI > more-devices.json\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reason_that_devices_have_in_different_words_is_told_as_an_example()
    {
        var network = new FakeNetwork { Devices = ["bad1", "bad2", "bad3", "bad4"] };
        foreach (var id in network.Devices)
            network.Reject(id, id is "bad1" or "bad2" ? Failure.Named("import", "euis_taken", $"its EUIs belong to {id}") : Failure.Named("source", "no_keys", "no keys"));
        var result = await Run(network, "fake", "application", "app", "--app-id=app").RunAsync();
        Assert.Contains("      2  euis_taken: e.g. its EUIs belong to bad1\n         bad1 bad2\n      2  no_keys: no keys\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_a_dry_run_with_failures_the_other_devices_can_go()
    {
        var network = new FakeNetwork { Devices = ["dev1", "bad"] };
        network.Reject("bad", new Failure("broken"));
        var result = await Run(network, "fake", "application", "app", "--dry-run", "--app-id=app").RunAsync();
        Assert.EndsWith(
            """
            Next:
              the other devices can go now; those listed above keep their keys meanwhile:
              ttn-lw-migrate fake application app --app-id=app > devices.json
              solve what is listed above, then export those devices:
              ttn-lw-migrate fake device --dry-run --app-id=app bad > more-devices.json

            """,
            result.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_that_was_named_is_named_in_what_to_type_next()
    {
        using var folder = new TemporaryFolder();
        var journal = Path.Combine(folder.Path, "night.journal");
        var result = await Run(new FakeNetwork(), "fake", "device", "dev1", "--app-id=app", "--journal", journal).RunAsync();
        Assert.Contains($"look with `ttn-lw-migrate status --journal {journal}`):\n", result.Error, StringComparison.Ordinal);
        Assert.EndsWith($"--default-grpc-address HOST:PORT --journal {journal}\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fail_fast_stops_at_the_first_device_that_fails()
    {
        var network = new FakeNetwork();
        network.Reject("bad", new Failure("broken"));
        var result = await Run(network, "fake", "device", "--app-id=app", "--fail-fast", "bad", "dev2").RunAsync();
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("not reached       1\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("Next:\n  solve what is said above, then run the same command again; it goes on where this run ended", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_that_cannot_be_written_leaves_every_key_alone()
    {
        var network = new FakeNetwork();
        using var full = new RefusingStream("No space left on device");
        var result = await new CliRun("fake", "device", "--app-id=app", "dev1", "dev2") { Sources = [network.Define()], Output = full }.RunAsync();
        Assert.Equal(1, result.ExitCode);
        Assert.Empty(network.Retired);
        Assert.StartsWith("Error: cannot write the line of device `dev1`: no space left on device\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("Summary (stopped before the end)\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_first_ctrl_c_finishes_the_device_in_hand_and_says_how_to_go_on()
    {
        CliRun? run = null;
        var retirements = 0;
        var network = new FakeNetwork
        {
            OnRetire = _ =>
            {
                if (Interlocked.Increment(ref retirements) == 1)
                    run!.Interrupt();
                return Task.CompletedTask;
            },
        };
        run = Run(network, ["fake", "device", "--app-id=app", .. Enumerable.Range(1, 100).Select(n => $"dev{n}")]);
        var result = await run.RunAsync();
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(network.Retired.Count, result.Output.Count(c => c == '\n'));
        Assert.InRange(network.Retired.Count, 1, 20);
        Assert.Contains("Interrupted: finishing the devices in hand. Press Ctrl-C again to stop at once.\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("Summary (interrupted)\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("Next:\n  run the same command again; it goes on where this run ended and writes the complete file:\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_second_ctrl_c_stops_at_once()
    {
        CliRun? run = null;
        var never = new TaskCompletionSource();
        var network = new FakeNetwork
        {
            OnRetire = _ =>
            {
                run!.Interrupt();
                run.Interrupt();
                return never.Task;
            },
        };
        run = Run(network, "fake", "device", "--app-id=app", "dev1");
        var result = await run.RunAsync();
        Assert.Equal(1, result.ExitCode);
        Assert.EndsWith(
            "Stopped at once. The last lines of the file may be of devices that are still alive at fake: run the same command again, it finishes them.\n",
            result.Error,
            StringComparison.Ordinal);
        never.SetResult();
    }

    [Fact]
    public async Task A_bug_says_so_in_one_line_and_shows_where_only_with_verbose()
    {
        var network = new FakeNetwork { OnRead = _ => throw new InvalidOperationException("index out of\nluck") };
        var quiet = await Run(network, "fake", "device", "--app-id=app", "dev1").RunAsync();
        Assert.Equal(1, quiet.ExitCode);
        Assert.StartsWith("Error: this is a bug in ttn-lw-migrate ", quiet.Error, StringComparison.Ordinal);
        Assert.Contains("InvalidOperationException: index out of luck", quiet.Error, StringComparison.Ordinal);
        Assert.EndsWith(" (run with --verbose for details)\n", quiet.Error, StringComparison.Ordinal);
        Assert.Equal(1, quiet.Error.Count(c => c == '\n'));
        var verbose = await Run(network, "fake", "device", "--app-id=app", "--verbose", "dev1").RunAsync();
        Assert.Contains("   at Cli.Tests.", verbose.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ids_come_from_standard_input_when_there_are_no_arguments_and_a_terminal_is_told()
    {
        var network = new FakeNetwork();
        var result = await new CliRun("fake", "device", "--app-id=app")
        {
            Sources = [network.Define()],
            Input = Encoding.UTF8.GetBytes("\uFEFFdev1\r\n\r\n dev2 "),
            InputIsTerminal = true,
        }.RunAsync();
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(["dev1", "dev2"], network.Retired.Order(StringComparer.Ordinal));
        Assert.StartsWith("note: no IDs given: type one device ID per line, and Ctrl-", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Arguments_win_over_standard_input_and_empty_ones_are_skipped()
    {
        var network = new FakeNetwork();
        var result = await new CliRun("fake", "device", "--app-id=app", "", "dev2") { Sources = [network.Define()], Input = "dev1\n"u8.ToArray() }.RunAsync();
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(["dev2"], network.Retired);
    }

    [Fact]
    public async Task An_empty_list_is_no_error()
    {
        Assert.Equal(
            new CliResult(0, "", "note: no IDs on standard input, nothing to export\n"),
            await Run(new FakeNetwork(), "fake", "device", "--app-id=app").RunAsync());
    }

    [Fact]
    public async Task A_word_after_a_switch_and_a_variable_that_only_looks_on_are_pointed_out()
    {
        var result = await new CliRun("fake", "device", "--app-id=app", "--dry-run", "false")
        {
            Sources = [new FakeNetwork().Define()],
            Variables = new Dictionary<string, string> { ["FAKE_SESSION"] = "1" },
        }.RunAsync();
        Assert.StartsWith(
            "note: --dry-run does not take the next word: it is on, and \"false\" is an argument; write --dry-run=false\n"
            + "note: FAKE_SESSION=\"1\" counts as off: only \"true\" is on\n",
            result.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_a_terminal_a_line_shows_count_rate_and_time_left_and_is_removed_at_the_end()
    {
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var network = new FakeNetwork
        {
            OnRetire = _ =>
            {
                clock.Advance(TimeSpan.FromSeconds(2));
                return Task.CompletedTask;
            },
        };
        var result = await new CliRun(["fake", "device", "--app-id=app", .. Enumerable.Range(1, 40).Select(n => $"dev{n}")])
        {
            Sources = [network.Define()],
            ErrorIsTerminal = true,
            Clock = clock,
        }.RunAsync();
        Assert.Matches(@"\r\u001b\[K\d+ of 40 devices \(\d+ %\), \d+\.\d/s, about \d+ s to go", result.Error);
        Assert.Contains("\r\u001b[KSummary\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_terminal_that_cannot_erase_a_line_gets_none_to_rewrite()
    {
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var network = new FakeNetwork
        {
            OnRetire = _ =>
            {
                clock.Advance(TimeSpan.FromSeconds(20));
                return Task.CompletedTask;
            },
        };
        var result = await new CliRun(["fake", "device", "--app-id=app", .. Enumerable.Range(1, 40).Select(n => $"dev{n}")])
        {
            Sources = [network.Define()],
            ErrorIsTerminal = true,
            Variables = new Dictionary<string, string> { ["TERM"] = "dumb" },
            Clock = clock,
        }.RunAsync();
        Assert.DoesNotContain('\u001b', result.Error);
        Assert.Matches(@"(^|\n)\d+ of 40 devices \(\d+ %\)[^\n]*\n", result.Error);
    }

    [Theory]
    [InlineData(0, null, 0, 0, "0 devices")]
    [InlineData(1200, 40000, 0, 245, "1200 of 40000 devices (3 %), 4.9/s, about 2 h 12 min to go")]
    [InlineData(10, 20, 3, 10, "10 of 20 devices (50 %), 1.0/s, about 10 s to go, 3 failed")]
    [InlineData(20, 20, 0, 10, "20 of 20 devices (100 %), 2.0/s")]
    [InlineData(10, 6000, 0, 10, "10 of 6000 devices (0 %), 1.0/s, about 1 h 39 min to go")]
    [InlineData(10, 3000, 0, 10, "10 of 3000 devices (0 %), 1.0/s, about 50 min to go")]
    [InlineData(9, 5000, 0, 30, "9 of 5000 devices (0 %), 0.3/s")]
    public void Progress_reads_so(int done, int? total, int failed, int seconds, string text) =>
        Assert.Equal(text, Cli.Output.ExportProgress.Describe(done, total, failed, TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(20000, 20000, "20000 of 40000 devices (50 %)")]
    [InlineData(20100, 20000, "20100 of 40000 devices (50 %), 2.0/s, about 2 h 45 min to go")]
    public void Devices_of_an_earlier_run_do_not_make_the_rest_look_fast(int done, int earlier, string text) =>
        Assert.Equal(text, Cli.Output.ExportProgress.Describe(done, 40000, 0, TimeSpan.FromSeconds(50), earlier));

    [Fact]
    public async Task Failures_of_one_reason_are_printed_in_full_a_few_times_then_in_one_line_each()
    {
        var network = new FakeNetwork();
        var ids = Enumerable.Range(1, 60).Select(n => $"bad{n}").ToList();
        foreach (var id in ids)
            network.Reject(id, Failure.Named("source/fake", "no_keys", "the device has no keys"));
        var result = await Run(network, ["fake", "device", "--app-id=app", .. ids]).RunAsync();
        Assert.Equal(Cli.Output.ExportProgress.DetailedPerReason, result.Error.Split("    device_id=").Length - 1);
        Assert.All(ids, id => Assert.Contains($"(export device `{id}`)", result.Error, StringComparison.Ordinal));
        Assert.Contains(" and 10 more\n", result.Error, StringComparison.Ordinal);
    }

    private static CliRun Run(FakeNetwork network, params string[] words) => new(words) { Sources = [network.Define()] };
}
