using System.Globalization;

namespace Benchmarks;

/// <summary>
/// Export of a Wanesy file with the 40 columns of the reference: one row in three joins and has no session, one joins and has one, one is
/// ABP. Arguments: <c>wanesy</c>, then numbers of rows; without any, 100000 and 1000000. Also one device by its DevEUI.
/// </summary>
internal static class WanesyBenchmarks
{
    private const string Header =
        "devEui,clusterId,clusterName,name,classType,rfRegion,country,macVersion,regParamsRevision,profile,adrEnabled,activation,appEui,appKey,fcntDown,fcntUp,"
        + "devNonceCounter,fNwkSIntKey,sNwkSIntKey,rx1Delay,rx1DrOffset,rx2Dr,rx2Freq,rxWindows,cfList,dwellTime,pingSlotDr,pingSlotFreq,geolocation,latitude,"
        + "longitude,altitude,status,lastDataUpMessage,lastDataDownMessage,lastDataUpDr,device_profile,dev_addr,NwkSKey,AppSKey";

    public static async Task<int> RunAsync(string[] args)
    {
        foreach (var text in args.Length == 0 ? ["100000", "1000000"] : args)
        {
            var rows = int.Parse(text, CultureInfo.InvariantCulture);
            var folder = Directory.CreateTempSubdirectory("wanesy-benchmark");
            try
            {
                var file = Path.Combine(folder.FullName, "devices.csv");
                await WriteAsync(file, rows);
                if (!await MeasureAsync(file, rows, "application", ["--all"], rows) || !await MeasureAsync(file, rows, "device", [DevEui(rows - 1)], 1))
                    return 1;
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        }
        return 0;
    }

    private static async Task<bool> MeasureAsync(string file, int rows, string command, string[] what, int wanted)
    {
        var run = await ToolProcess.RunAsync(
            ["wanesy", command, .. what, "--app-id", "big-app", "--frequency-plan-id", "EU_863_870", "--csv-path", file], []);
        if (run.ExitCode != 0 || run.Lines != wanted)
        {
            Console.WriteLine(run.Error);
            return false;
        }
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{command,-11} of {rows,7} rows ({new FileInfo(file).Length / 1048576.0,4:F0} MiB): {run.Time.TotalSeconds,6:F2} s, {rows / run.Time.TotalSeconds,7:F0} rows/s, peak {run.PeakMebibytes,4:F0} MiB"));
        return true;
    }

    private static async Task WriteAsync(string file, int rows)
    {
        await using var text = new StreamWriter(file);
        await text.WriteLineAsync(Header);
        for (var i = 0; i < rows; i++)
        {
            var (activation, join, session) = (i % 3) switch
            {
                0 => ("OTAA", $"70B3D5000000000A,{Key(1, i)}", ","),
                1 => ("OTAA", $"70B3D5000000000A,{Key(1, i)}", $"{Key(2, i)},{Key(3, i)}"),
                _ => ("ABP", ",", $"{Key(2, i)},{Key(3, i)}"),
            };
            var counters = i % 3 == 0 ? "," : string.Create(CultureInfo.InvariantCulture, $"{i % 500},{i % 70_000}");
            var devAddr = i % 3 == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{0x26000000 + i:X8}");
            await text.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{DevEui(i)},{i % 12},Cluster {i % 12},Meter {i},A,EU868,,1.0.2,B,STATIC,True,{activation},{join},{counters},False,,,1,0,0,869525000,1,,,,,,48.{i % 1_000_000:D6},11.5,512,RUNNING,,,SF7BW125,1.0.2_B_A_EU868,{devAddr},{session}"));
        }
    }

    private static string DevEui(int i) => string.Create(CultureInfo.InvariantCulture, $"70B3D57E{i:X8}");

    private static string Key(int kind, int i) => string.Create(CultureInfo.InvariantCulture, $"{(ulong)(i + 1) * 0x9E3779B97F4A7C15UL:X16}{(ulong)(i + kind) * 0xC2B2AE3D27D4EB4FUL:X16}");
}
