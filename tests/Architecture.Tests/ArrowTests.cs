using System.Reflection;
using System.Xml.Linq;
using Testing;

namespace Architecture.Tests;

/// <summary>The arrows of ARCHITECTURE.md: Cli -> Sources -> Migration -> TheThingsStack -> LoRaWan, Rpc beside them.</summary>
public sealed class ArrowTests
{
    private static readonly Dictionary<string, string[]> MayKnow = new(StringComparer.Ordinal)
    {
        ["LoRaWan"] = [],
        ["Rpc"] = [],
        ["TheThingsStack"] = ["LoRaWan", "Rpc"],
        ["Migration"] = ["TheThingsStack", "LoRaWan", "Rpc"],
        ["Sources"] = ["Migration", "TheThingsStack", "LoRaWan", "Rpc"],
        ["ttn-lw-migrate"] = ["Sources", "Migration", "TheThingsStack", "LoRaWan", "Rpc"],
    };

    public static TheoryData<string> Projects => [.. MayKnow.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_uses_only_the_projects_it_may_know(string project)
    {
        var used = Assembly.Load(project).GetReferencedAssemblies().Select(a => a.Name!).Where(MayKnow.ContainsKey);
        Assert.Empty(used.Except(MayKnow[project]));
    }

    [Fact]
    public void The_vocabulary_uses_nothing_but_the_base_class_library()
    {
        var used = Assembly.Load("LoRaWan").GetReferencedAssemblies().Select(a => a.Name!);
        Assert.All(used, name => Assert.StartsWith("System.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void Nothing_that_ships_refers_to_the_sandbox_or_to_tests()
    {
        var references =
            from file in Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, "src"), "*.csproj", SearchOption.AllDirectories)
            from reference in XDocument.Load(file).Descendants("ProjectReference")
            select (file, path: reference.Attribute("Include")!.Value);
        Assert.All(references, r => Assert.DoesNotMatch("sandbox|tests|benchmarks", r.path));
    }

    [Fact]
    public void Only_the_program_file_and_the_clock_seam_may_silence_a_banned_symbol()
    {
        var files = Directory.EnumerateFiles(Path.Combine(Golden.RepositoryRoot, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains("RS0030", StringComparison.Ordinal))
            .Select(file => Path.GetRelativePath(Golden.RepositoryRoot, file).Replace('\\', '/'))
            .Where(file => !file.StartsWith("src/Cli/Program", StringComparison.Ordinal));
        Assert.Empty(files);
    }
}
