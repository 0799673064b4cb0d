using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Rpc.Tests;

public class HostPortTests
{
    [Theory]
    [InlineData("discovery.thethings.network:1900", "discovery.thethings.network", 1900)]
    [InlineData("localhost:1", "localhost", 1)]
    [InlineData("127.0.0.1:65535", "127.0.0.1", 65535)]
    [InlineData("[::1]:1900", "::1", 1900)]
    [InlineData("my_host-1.Example:08884", "my_host-1.Example", 8884)]
    public void An_address_is_a_host_and_a_port(string text, string host, int port)
    {
        Assert.True(HostPort.TryParse(text, out var value, out var reason), reason);
        Assert.Equal(new HostPort(host, port), value);
        Assert.Equal(value, HostPort.Parse(value.ToString()));
    }

    [Theory]
    [InlineData(null, "the address is empty; the form is host:port")]
    [InlineData("", "the address is empty; the form is host:port")]
    [InlineData("  ", "the address is empty; the form is host:port")]
    [InlineData("host", "\"host\" has no port; the form is host:port")]
    [InlineData("host:", "\"host:\" has no port after the colon; the form is host:port")]
    [InlineData(":1900", "\":1900\" has no host before the colon; the form is host:port")]
    [InlineData("http://host:1900", "\"http://host:1900\" is a URL; the form is host:port, without http://, here host:1900")]
    [InlineData("https://host:1900/path?q", "\"https://host:1900/path?q\" is a URL; the form is host:port, without https://, here host:1900")]
    [InlineData("https://host", "\"https://host\" is a URL; the form is host:port, without https://")]
    [InlineData("dns:///host:1900", "\"dns:///host:1900\" is a URL; the form is host:port, without dns://, here host:1900")]
    [InlineData("mqtt://", "\"mqtt://\" is a URL; the form is host:port, without mqtt://")]
    [InlineData("\"host:1900\"", "\"host:1900\" has quotes in it; write it without them")]
    [InlineData("'host:1900'", "'host:1900' has quotes in it; write it without them")]
    [InlineData("\u201Chost:1900\u201D", "\u201Chost:1900\u201D has quotes in it; write it without them")]
    [InlineData(" host:1900", "\" host:1900\" has a space in it; the form is host:port")]
    [InlineData("host:1900\n", "\"host:1900\n\" has a space in it; the form is host:port")]
    [InlineData("a:1,b:2", "\"a:1,b:2\" is a list; give one address, the form is host:port")]
    [InlineData("host:1900/path", "\"host:1900/path\" has a path; the form is host:port, here host:1900")]
    [InlineData("host:abc", "\"host:abc\" has a port that is not a number; the form is host:port")]
    [InlineData("host:-1", "\"host:-1\" has a port that is not a number; the form is host:port")]
    [InlineData("host:0", "\"host:0\" has a port that is not from 1 to 65535")]
    [InlineData("host:65536", "\"host:65536\" has a port that is not from 1 to 65535")]
    [InlineData("host:99999999999999999999", "\"host:99999999999999999999\" has a port that is not from 1 to 65535")]
    [InlineData("host:1:2", "\"host:1:2\" has more than one colon; the form is host:port")]
    [InlineData("::1", "\"::1\" is an IPv6 address without a port; the form is [::1]:port")]
    [InlineData("[::1]", "\"[::1]\" has no port; the form is [IPv6 address]:port")]
    [InlineData("[::1]1900", "\"[::1]1900\" has no port; the form is [IPv6 address]:port")]
    [InlineData("[::1", "\"[::1\" has no closing bracket; the form is [IPv6 address]:port")]
    [InlineData("[host]:1900", "\"[host]:1900\" has no IPv6 address in its brackets; the form is [IPv6 address]:port")]
    [InlineData(".host:1900", "\".host:1900\" cannot be an address: .host is not a host name; the form is host:port")]
    [InlineData("a..b:1900", "\"a..b:1900\" cannot be an address: a..b is not a host name; the form is host:port")]
    [InlineData("<host>:1900", "\"<host>:1900\" cannot be an address: '<' cannot stand in a host name; the form is host:port")]
    [InlineData("m\u00FCnchen.example:1900", "\"m\u00FCnchen.example:1900\" cannot be an address: '\u00FC' cannot stand in a host name; the form is host:port")]
    public void What_is_not_an_address_is_refused_with_what_is_wrong_and_the_form(string? text, string expected)
    {
        Assert.False(HostPort.TryParse(text, out _, out var reason));
        Assert.Equal(expected, reason);
    }

    [Property]
    public bool Any_text_is_an_address_or_has_a_reason(string? text) =>
        HostPort.TryParse(text, out var value, out var reason) ? HostPort.Parse(value.ToString()) == value : reason.Length > 0;

    [Property(MaxTest = 2000)]
    public Property Any_address_that_is_taken_can_be_called() => Prop.ForAll(
        Gen.Elements('a', 'Z', '0', '9', '-', '_', '.').ListOf().Select(letters => new string([.. letters])).ToArbitrary(),
        host => !HostPort.TryParse($"{host}:1900", out var value, out _) || new RpcChannel(Client.To(value)).Address == value);
}
