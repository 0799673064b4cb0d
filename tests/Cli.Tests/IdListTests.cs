using System.Text;
using Cli.Input;
using FsCheck.Xunit;
using TheThingsStack.Errors;

namespace Cli.Tests;

/// <summary>facts/cli-surface.md section 5.</summary>
public sealed class IdListTests
{
    [Theory]
    [InlineData("dev1\ndev2\ndev3\n", "dev1|dev2|dev3")]
    [InlineData("dev1\r\ndev2\r\n", "dev1|dev2")]
    [InlineData("dev1\ndev2", "dev1|dev2")]
    [InlineData("dev1\r", "dev1")]
    [InlineData("dev1 \t", "dev1")]
    [InlineData("\n\n  \ndev1\n\n", "dev1")]
    [InlineData("\uFEFFdev1\n", "dev1")]
    [InlineData("\uFEFF\n", "")]
    [InlineData("", "")]
    [InlineData("# comment\n", "# comment")]
    [InlineData("a,b\n", "a,b")]
    public async Task Lines_become_ids(string text, string ids) =>
        Assert.Equal(ids, string.Join('|', await ReadAsync(Encoding.UTF8.GetBytes(text))));

    [Fact]
    public async Task The_list_that_windows_powershell_writes_is_read() =>
        Assert.Equal(["dev1", "dev2"], await ReadAsync([.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("dev1\r\ndev2\r\n")]));

    [Fact]
    public async Task A_line_that_looks_like_several_ids_is_passed_on_with_a_note()
    {
        var notes = new List<string>();
        Assert.Equal(["a b"], await IdList.ReadAsync(new MemoryStream("a b\n"u8.ToArray()), "ids.txt", notes.Add, default));
        Assert.Equal(["line 1 of ids.txt, \"a b\", is taken as one ID; write one ID per line"], notes);
    }

    [Property(MaxTest = 300)]
    public void Any_bytes_give_ids_or_a_failure_that_names_the_line(byte[] bytes)
    {
        try
        {
            var ids = ReadAsync(bytes).GetAwaiter().GetResult();
            Assert.All(ids, id => Assert.True(id.Length is > 0 and <= IdList.LongestLine && id.Trim() == id && !id.Contains('\n', StringComparison.Ordinal)));
        }
        catch (FailureException e)
        {
            Assert.StartsWith("line ", e.Failure.Message, StringComparison.Ordinal);
        }
    }

    [Property]
    public void A_list_of_plain_ids_comes_back_whole(uint[] numbers)
    {
        var ids = numbers.Select(n => $"dev-{n}").ToList();
        Assert.Equal(ids, ReadAsync(Encoding.UTF8.GetBytes(string.Join("\r\n", ids))).GetAwaiter().GetResult());
    }

    private static Task<IReadOnlyList<string>> ReadAsync(byte[] bytes) => IdList.ReadAsync(new MemoryStream(bytes), "standard input", _ => { }, default);
}
