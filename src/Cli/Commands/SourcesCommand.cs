using System.Text;
using Cli.CommandLine;
using Cli.Networks;

namespace Cli.Commands;

/// <summary><c>sources</c>: the networks that devices can come from.</summary>
internal static class SourcesCommand
{
    public static Task<int> RunAsync(Invocation invocation, IReadOnlyList<SourceDefinition> sources)
    {
        var text = new StringBuilder();
        foreach (var source in sources)
            text.AppendColumn(source.Name, 21).Append(source.Description).Append('\n');
        CliApplication.WriteOutput(invocation.Environment, text.ToString());
        return Task.FromResult(0);
    }
}
