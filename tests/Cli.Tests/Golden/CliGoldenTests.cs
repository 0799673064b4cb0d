using System.Text;
using Testing;
using Xunit.Abstractions;

namespace Cli.Tests.Golden;

/// <summary>Recorded command lines of the Go tool, run here. Differences must be named in <see cref="CliDifferences"/>.</summary>
public sealed class CliGoldenTests(ITestOutputHelper output)
{
    private const string File = "cli.jsonl.gz";

    [Fact]
    public void Recorded_command_lines_give_the_recorded_output_but_for_named_differences()
    {
        var files = Testing.Golden.Rows(File)
            .Where(r => r.Json.TryGetProperty("files", out _))
            .SelectMany(r => r.Json.GetProperty("files").EnumerateObject())
            .ToDictionary(f => f.Name, f => Encoding.UTF8.GetBytes(f.Value.GetString()!));
        var excused = new SortedDictionary<string, int>(StringComparer.Ordinal);
        Testing.Golden.Check(File, output.WriteLine, row =>
        {
            if (row.Json.TryGetProperty("files", out _))
                return null;
            var recorded = Recorded.From(row);
            var comparison = new CliComparison(recorded, Run(recorded, files), other => Run(other, files));
            var problem = comparison.Check();
            foreach (var difference in comparison.Used)
                excused[difference] = excused.GetValueOrDefault(difference) + 1;
            return problem;
        });
        foreach (var (name, rows) in excused)
            output.WriteLine($"{rows,4} rows differ by {name}: {CliDifferences.Why[name]}");
    }

    private static CliResult Run(Recorded recorded, Dictionary<string, byte[]> files)
    {
        using var closed = new RefusingStream("Standard output is closed");
        using var full = new RefusingStream("No space left on device");
        using var broken = new RefusingStream("Broken pipe");
        return new CliRun(recorded.Arguments)
        {
            Variables = recorded.Variables,
            Input = Encoding.UTF8.GetBytes(recorded.Input),
            Files = files,
            HttpHandler = () => new PlanServer(),
            Output = recorded.OutputIs switch
            {
                null => null,
                "closed" => closed,
                "pipe-closed" => broken,
                "/dev/full" => full,
                var other => throw new NotSupportedException($"stdout_is {other}"),
            },
        }.RunAsync().GetAwaiter().GetResult();
    }
}

/// <summary>One recorded command line.</summary>
internal sealed record Recorded(
    IReadOnlyList<string> Arguments, Dictionary<string, string> Variables, string Input, string Output, string Error, int ExitCode, string? OutputIs, string Note)
{
    public static Recorded From(GoldenRow row) => new(
        [.. row.Json.GetProperty("args").EnumerateArray().Select(a => a.GetString()!)],
        row.Json.GetProperty("env").EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetString()!),
        row.Text("stdin") ?? "",
        row.Text("stdout") ?? "",
        row.Text("stderr") ?? "",
        row.Json.GetProperty("exit").GetInt32(),
        row.Text("stdout_is"),
        row.Text("note") ?? "");
}

/// <summary>A stream that cannot be written.</summary>
internal sealed class RefusingStream(string reason) : MemoryStream
{
    public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException(reason);

    public override void Write(byte[] buffer, int offset, int count) => throw new IOException(reason);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException(reason);
}
