using System.Reflection;
using BenchmarkDotNet.Running;

// First argument "json" or "export": the measured loop of JsonBenchmarks or ExportBenchmarks. Anything else goes to BenchmarkDotNet (--list flat, --filter '*Rpc*').
if (args.FirstOrDefault() == "json")
    return Benchmarks.JsonBenchmarks.Run(args[1..]);
if (args.FirstOrDefault() == "export")
    return await Benchmarks.ExportBenchmarks.RunAsync(args[1..]);
// First argument "filters": add-mac-state and check over a million devices.
if (args.FirstOrDefault() == "filters")
    return Benchmarks.FilterBenchmarks.Run(args[1..]);
if (args.FirstOrDefault() == "safety")
    return await Benchmarks.SafetyBenchmark.RunAsync(args[1..]);
// First argument "wanesy": export of large CSV files.
if (args.FirstOrDefault() == "wanesy")
    return await Benchmarks.WanesyBenchmarks.RunAsync(args[1..]);
// First argument "import": import into The Things Stack 20 ms away, beside a bare client.
if (args.FirstOrDefault() == "import")
    return await Benchmarks.ImportBenchmarks.RunAsync(args[1..]);
if (args.FirstOrDefault() == "tts-server")
    return await Benchmarks.TtsServerProcess.ServeAsync(args[1..]);
// First argument "tts-export": export from The Things Stack 20 ms away, beside a bare client.
if (args.FirstOrDefault() == "tts-export")
    return await Benchmarks.TtsExportBenchmarks.RunAsync(args[1..]);
// First argument "verify": verification of a file of devices, beside a bare client.
if (args.FirstOrDefault() == "verify")
    return await Benchmarks.VerifyBenchmarks.RunAsync(args[1..]);
BenchmarkSwitcher.FromAssembly(Assembly.GetExecutingAssembly()).Run(args);
return 0;
