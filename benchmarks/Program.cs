using System.Reflection;
using BenchmarkDotNet.Running;

// First argument "json": the measured loop of JsonBenchmarks. Anything else goes to BenchmarkDotNet (--list flat, --filter '*Rpc*').
if (args.FirstOrDefault() == "json")
    return Benchmarks.JsonBenchmarks.Run(args[1..]);
BenchmarkSwitcher.FromAssembly(Assembly.GetExecutingAssembly()).Run(args);
return 0;
