using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Migration;
using Sources.Wanesy;
using TheThingsStack.Errors;

namespace Sources.Tests.Wanesy;

/// <summary>What a file can look like, and what becomes of its devices.</summary>
public sealed class WanesySourceTests
{
    private const string File = WanesyRun.Header + "\n" + WanesyRun.Joining + "\n" + WanesyRun.Abp + "\n";

    [Fact]
    public async Task Devices_come_in_the_order_of_the_file_and_each_has_to_be_removed_by_hand()
    {
        var result = await WanesyRun.ApplicationAsync(File);

        Assert.Equal(["70b3d57ed0000001", "70b3d57ed0000002"], result.Lines.Select(l => (string)l["ids"]!["device_id"]!));
        Assert.Equal(2, result.Notes.Count(n => n is { Code: "remove_in_wanesy", NeedsPerson: true }));
        Assert.Equal((2, 0), (result.Summary!.Exported, result.Summary.Retired));
        Assert.Contains("by hand", result.Notes[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Devices_that_are_named_come_in_the_order_they_are_named()
    {
        var result = await WanesyRun.DevicesAsync(File, "70b3d57ed0000002", "70B3D57ED0000001", "70B3D57ED0000002");

        Assert.Equal(["70b3d57ed0000002", "70b3d57ed0000001"], result.Lines.Select(l => (string)l["ids"]!["device_id"]!));
        Assert.Equal(1, result.Summary!.Skipped);
    }

    [Fact]
    public async Task One_pass_over_the_file_finds_all_named_devices()
    {
        var passes = 0;
        await using var source = WanesySource.Open(
            new WanesyOptions("test-app", "EU_863_870", "devices.csv", () =>
            {
                passes++;
                return new MemoryStream(Encoding.UTF8.GetBytes(File), writable: false);
            }),
            new SourceContext(TimeProvider.System, _ => { }, NullLogger.Instance));
        var before = passes;
        await new Exporter(source, new ExportOptions()).RunAsync(
            new ExportRequest(ExportedItems.Devices, ["70B3D57ED0000001", "70B3D57ED0000002", "70B3D57ED00000FF"]), Stream.Null);

        Assert.Equal(1, passes - before);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n\n")]
    [InlineData("\uFEFF")]
    [InlineData(WanesyRun.Header)]
    [InlineData(WanesyRun.Header + "\r\n\r\n")]
    public async Task A_file_without_rows_is_refused(string csv) =>
        Assert.Equal("no_values_in_csv", (await WanesyRun.ApplicationAsync(csv)).Stopped?.Name);

    [Theory]
    [InlineData("name,activation\nx,OTAA\n", "the file has no column `devEui` and no column `macVersion`")]
    [InlineData("devEui macVersion activation\nx\n", "the file has no column `devEui` and no column `macVersion` and no column `activation`")]
    public async Task Columns_that_every_device_needs_are_asked_for(string csv, string message)
    {
        var failure = (await WanesyRun.ApplicationAsync(csv)).Stopped!;

        Assert.Equal(("missing_columns", message), (failure.Name, failure.Message));
        Assert.StartsWith("devices.csv:1: ", failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("26015678")]
    public async Task A_column_under_its_own_name_counts_and_not_one_under_another_name(string other)
    {
        var result = await WanesyRun.ApplicationAsync($"{WanesyRun.Header},devAddr\n{WanesyRun.Abp},{other}\n");

        Assert.Equal("26011234", Assert.Single(result.Lines)["session"]!["dev_addr"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_DevAddr_under_its_other_name_alone_is_read()
    {
        var result = await WanesyRun.ApplicationAsync($"{WanesyRun.Header.Replace("dev_addr", "devAddr", StringComparison.Ordinal)}\n{WanesyRun.Abp}\n");

        Assert.Equal("26011234", Assert.Single(result.Lines)["session"]!["dev_addr"]!.GetValue<string>());
    }

    [Fact]
    public async Task Columns_that_nobody_knows_are_named_and_known_ones_without_use_are_not()
    {
        var result = await WanesyRun.ApplicationAsync("devEui,macVersion,activation,appEui,appKey,AppSKeyy,clusterName,customerId\n70B3D57ED0000001,1.0.1,OTAA,0000000000000000,0123456789ABCDEF0123456789ABCDEF,x,y,z\n");

        Assert.Equal("0000000000000000", (string?)Assert.Single(result.Lines)["ids"]!["join_eui"]);
        Assert.StartsWith("the column `AppSKeyy` of devices.csv is not known", Assert.Single(result.Summary!.DecidedByDefault), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(',', "\n", false)]
    [InlineData(';', "\r\n", true)]
    [InlineData('\t', "\n", true)]
    public async Task Separators_line_ends_and_a_byte_order_mark_do_not_matter(char separator, string lineEnd, bool mark)
    {
        var plain = await WanesyRun.ApplicationAsync(File);
        var text = (mark ? "\uFEFF" : "") + File.Replace(',', separator).Replace("\n", lineEnd, StringComparison.Ordinal);

        Assert.Equal(Texts(plain), Texts(await WanesyRun.ApplicationAsync(text)));
        Assert.Equal(Texts(plain), Texts(await WanesyRun.RunAsync([.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(text.TrimStart('\uFEFF'))])));
        Assert.Equal(Texts(plain), Texts(await WanesyRun.RunAsync([.. Encoding.BigEndianUnicode.GetPreamble(), .. Encoding.BigEndianUnicode.GetBytes(text.TrimStart('\uFEFF'))])));
    }

    [Theory]
    [InlineData("\"Meter, \"\"north\"\" side\"", "Meter, \"north\" side")]
    [InlineData("De\"vice", "De\"vice")]
    [InlineData("\"two\nlines\"", "two\nlines")]
    [InlineData("  blanks  ", "blanks")]
    [InlineData("NULL", null)]
    public async Task A_name_is_read_as_it_is_meant(string cell, string? name) =>
        Assert.Equal(name, (string?)Assert.Single((await WanesyRun.ApplicationAsync(WanesyRun.Header + "\n" + WanesyRun.Joining.Replace("One", cell, StringComparison.Ordinal) + "\n")).Lines)["name"]);

    [Fact]
    public async Task A_quote_that_is_never_closed_stops_no_device_before_it()
    {
        var result = await WanesyRun.ApplicationAsync(File + WanesyRun.Joining.Replace("D0000001", "D0000003", StringComparison.Ordinal).Replace("One", "\"One", StringComparison.Ordinal) + "\n" + WanesyRun.Abp + "\n");

        Assert.Equal(2, result.Lines.Count);
        var failure = Assert.Single(result.Rejected).Cause!;
        Assert.Equal("malformed_row", failure.Name);
        Assert.StartsWith("devices.csv:4: ", failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(",,,,")]
    [InlineData(" , \t,\"\", \"  \"")]
    public async Task Rows_without_any_value_are_no_devices(string blank)
    {
        var result = await WanesyRun.ApplicationAsync($"{WanesyRun.Header}\n{blank}\n{WanesyRun.Joining}\n{blank}\n{blank}\n");

        Assert.Single(result.Lines);
        Assert.Empty(result.Rejected);
        Assert.Equal(1, result.Summary!.Total);
        Assert.Equal("no_values_in_csv", (await WanesyRun.ApplicationAsync($"{WanesyRun.Header}\n{blank}\n")).Stopped!.Name);
    }

    [Fact]
    public async Task A_name_that_is_not_UTF8_needs_a_person()
    {
        var text = $"{WanesyRun.Header}\n{WanesyRun.Joining.Replace("One", "Z\u00E4hler", StringComparison.Ordinal)}\n";

        Assert.Contains((await WanesyRun.RunAsync(Encoding.Latin1.GetBytes(text))).Notes, n => n is { Code: "unreadable_name", NeedsPerson: true });
        Assert.DoesNotContain((await WanesyRun.ApplicationAsync(text)).Notes, n => n.Code == "unreadable_name");
    }

    [Fact]
    public async Task A_row_with_too_many_values_is_refused_and_one_with_too_few_goes_with_a_note()
    {
        var result = await WanesyRun.ApplicationAsync($"{WanesyRun.Header}\n{WanesyRun.Joining.TrimEnd(',')}\n{WanesyRun.Abp},extra\n");

        Assert.Single(result.Lines);
        Assert.Contains(result.Notes, n => n.Code == "short_row");
        Assert.Equal("the row has 41 values, the header 40", Assert.Single(result.Rejected).Cause!.Message);
        Assert.StartsWith("devices.csv:3: ", result.Rejected[0].Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rows_with_one_DevEUI_are_all_refused_with_their_lines_and_the_others_go()
    {
        var csv = File + "\n" + WanesyRun.Joining.Replace("D57ED", "d57ed", StringComparison.Ordinal) + "\n";

        foreach (var result in new[] { await WanesyRun.ApplicationAsync(csv), await WanesyRun.DevicesAsync(csv, "70B3D57ED0000001", "70B3D57ED0000002") })
        {
            Assert.Equal("70b3d57ed0000002", (string?)Assert.Single(result.Lines)["ids"]!["device_id"]);
            Assert.Equal("devices.csv: look at lines 2, 5 and keep the row that is right", Assert.Single(result.Rejected).Advice);
        }
    }

    [Theory]
    [InlineData("macVersion", "2.0", "invalid_mac_version")]
    [InlineData("regParamsRevision", "Z", "invalid_phy_for_mac_version")]
    [InlineData("activation", "JOINED", "invalid_activation")]
    [InlineData("classType", "D", "invalid_class")]
    [InlineData("appKey", "", "no_app_key")]
    [InlineData("appKey", "00000000000000000000000000000000", "no_app_key")]
    [InlineData("appKey", "0123456789ABCDEF0123456789ABCDEF0", "invalid_aes_key")]
    [InlineData("appEui", "NULL", "no_join_eui")]
    [InlineData("appEui", "70-B3-D5-7E-D0-00-00-10", "invalid_eui")]
    [InlineData("dev_addr", "xyz", "invalid_dev_addr")]
    [InlineData("rx2Dr", "A", "invalid_rx2_dr")]
    [InlineData("rx2Dr", "16", "invalid_rx2_dr")]
    public async Task A_value_that_cannot_be_used_is_refused_with_its_place(string column, string value, string name)
    {
        var values = WanesyRun.Header.Split(',').Zip(WanesyRun.Joining.Split(','), KeyValuePair.Create).Select(v => v.Key == column ? new(column, value) : v);

        var failure = Assert.Single((await WanesyRun.ApplicationAsync(WanesyRun.Csv(values))).Rejected).Cause!;

        Assert.Equal(name, failure.Name);
        Assert.StartsWith($"devices.csv:2, column `{column}`: ", failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("appKey", "0123456789ABCDEF0123456789ABCDXY")]
    [InlineData("AppSKey", "2222222222222222222222222222ZZZZ")]
    public async Task A_bad_key_is_never_shown(string column, string value)
    {
        var values = WanesyRun.Header.Split(',').Zip(WanesyRun.Joining.Split(','), KeyValuePair.Create).Select(v => v.Key == column ? new(column, value) : v);

        for (var failure = Assert.Single((await WanesyRun.ApplicationAsync(WanesyRun.Csv(values))).Rejected); failure is not null; failure = failure.Cause)
            Assert.DoesNotContain(value[^4..], failure + failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("latitude", "48,1", "value_left_out")]
    [InlineData("rx2Freq", "high", "value_left_out")]
    [InlineData("rx1DrOffset", "8", "value_left_out")]
    [InlineData("adrEnabled", "maybe", "value_left_out")]
    [InlineData("appKey", "123456789ABCDEF0123456789ABCDEF", "zeros_restored")]
    [InlineData("rfRegion", "US915", "other_region")]
    [InlineData("classType", "", "class_assumed")]
    [InlineData("macVersion", "1.0.4", "regional_parameters_assumed")]
    [InlineData("macVersion", "1.1.0", "no_nwk_key")]
    [InlineData("dev_addr", "26011234", "partial_session")]
    [InlineData("cfList", "867.1", "channels_of_plan")]
    public async Task What_is_lost_or_guessed_is_said(string column, string value, string note)
    {
        var values = WanesyRun.Header.Split(',').Zip(WanesyRun.Joining.Split(','), KeyValuePair.Create).Select(v => v.Key == column ? new(column, value) : v);

        var result = await WanesyRun.ApplicationAsync(WanesyRun.Csv(values));

        Assert.Single(result.Lines);
        Assert.Contains(note, result.Notes.Select(n => n.Code));
    }

    [Theory]
    [InlineData("512.6", 513)]
    [InlineData("-12.5", -13)]
    [InlineData("", null)]
    public async Task The_altitude_is_that_of_the_file_in_whole_metres(string altitude, int? metres)
    {
        var values = WanesyRun.Header.Split(',').Zip(WanesyRun.Joining.Split(','), KeyValuePair.Create)
            .Select(v => v.Key switch { "latitude" => new("latitude", "48.1"), "longitude" => new("longitude", "11.5"), "altitude" => new("altitude", altitude), _ => v });

        var user = Assert.Single((await WanesyRun.ApplicationAsync(WanesyRun.Csv(values))).Lines)["locations"]!["user"]!;

        Assert.Equal((48.1, metres), ((double)user["latitude"]!, (int?)user["altitude"]));
    }

    [Fact]
    public async Task An_unknown_plan_stops_devices_with_a_session_and_is_noted_on_the_others()
    {
        var result = await WanesyRun.ApplicationAsync(File, plan: "EU_868");

        Assert.Equal("70b3d57ed0000001", (string?)Assert.Single(result.Lines)["ids"]!["device_id"]);
        Assert.Contains("frequency_plan_not_checked", result.Notes.Select(n => n.Code));
        Assert.Equal("not_found", Assert.Single(result.Rejected).Cause!.Name);
    }

    [Fact]
    public async Task A_record_of_the_journal_gives_the_same_device_and_nothing_is_ever_changed_at_Wanesy()
    {
        await using var source = WanesySource.Open(
            new WanesyOptions("test-app", "EU_863_870", "devices.csv", () => new MemoryStream(Encoding.UTF8.GetBytes(File), writable: false)),
            new SourceContext(TimeProvider.System, _ => { }, NullLogger.Instance));
        var read = await source.ReadAsync(source.Refer("70B3D57ED0000002"), CancellationToken.None);
        var again = source.FromRecord("test-app", read.Id, read.Record);
        var plan = new RetirePlan(RetireWay.Delete, null);

        Assert.Equal((read.Id, RecordMatch.Original), (again.Id, source.Compare(again, read, plan)));
        Assert.Equal(RetireScope.None, Assert.IsType<MapResult.Mapped>(source.Map(read)).Retires);
        Assert.Equal("not_supported", Assert.Throws<FailureException>(() => source.PlanRetirement(read, RetireScope.RootKeys, RetireWay.Clear)).Failure.Name);
        Assert.Equal(ChangeResult.Unchanged, (await source.RetireAsync(read, plan, CancellationToken.None)).Result);
        Assert.Equal(ChangeResult.Unchanged, (await source.RestoreAsync(read, plan, dryRun: false, CancellationToken.None)).Result);
    }

    private static string[] Texts(WanesyResult result) => [.. result.Lines.Select(l => l.ToJsonString())];
}
