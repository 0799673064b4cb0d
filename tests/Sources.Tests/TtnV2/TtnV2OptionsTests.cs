using Sources.TtnV2;

namespace Sources.Tests.TtnV2;

public sealed class TtnV2OptionsTests
{
    private static readonly TtnV2Options Good = new()
    {
        AppId = new("my-app", "TTNV2_APP_ID"),
        AppAccessKey = new("ttn-account-v2.secret", "TTNV2_APP_ACCESS_KEY"),
        FrequencyPlanId = new("EU_863_870_TTN", "FREQUENCY_PLAN_ID"),
    };

    [Fact]
    public void What_the_guide_sets_is_enough() => Assert.Null(Good.Validate());

    [Fact]
    public void Missing_values_are_named_in_the_order_of_the_go_tool()
    {
        Assert.Equal("open missing.pem: no such file or directory", (new TtnV2Options { CaCert = new("missing.pem", "--ca-cert") }).Validate()!.ToString());
        Assert.Equal("error:go.thethings.network/lorawan-stack-migrate/pkg/source/ttnv2:no_app_id (no app id)", new TtnV2Options().Validate()!.ToString());
        Assert.Equal("error:go.thethings.network/lorawan-stack-migrate/pkg/source/ttnv2:no_app_access_key (no app access key)", new TtnV2Options { AppId = Good.AppId }.Validate()!.ToString());
        Assert.Equal("error:go.thethings.network/lorawan-stack-migrate/pkg/source/ttnv2:no_frequency_plan_id (no frequency plan id)", (Good with { FrequencyPlanId = new("") }).Validate()!.ToString());
    }

    [Theory]
    [InlineData("\"my-app\"", "app id `\"my-app\"` has quotes in it", "without quotes")]
    [InlineData("'my-app'", "app id `'my-app'` has quotes in it", "TTNV2_APP_ID")]
    [InlineData("\u201cmy-app\u201d", "app id `\u201cmy-app\u201d` has quotes in it", "TTNV2_APP_ID")]
    [InlineData("my-app ", "app id `my-app ` has blanks around it", "TTNV2_APP_ID")]
    [InlineData("my-app\r", "app id `my-app\r` has blanks around it", "TTNV2_APP_ID")]
    [InlineData("ttn-v2-application-ID", "app id `ttn-v2-application-ID` is the placeholder of the guide", "TTNV2_APP_ID")]
    public void Slips_in_the_app_id_are_explained(string value, string message, string advice)
    {
        var failure = (Good with { AppId = new(value, "TTNV2_APP_ID") }).Validate()!;
        Assert.Equal(("invalid_app_id", message), (failure.Name, failure.Message));
        Assert.Contains(advice, failure.Advice!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"ttn-account-v2.secret\"")]
    [InlineData("access-key-of-your-ttn-v2-application")]
    [InlineData("ttn-account-v2.sec ret")]
    [InlineData("ttn-account-v2.secr\u00e9t")]
    public void Slips_in_the_access_key_are_explained_without_showing_it(string value)
    {
        var failure = (Good with { AppAccessKey = new(value, "TTNV2_APP_ACCESS_KEY") }).Validate()!;
        Assert.Equal("invalid_app_access_key", failure.Name);
        Assert.DoesNotContain(value, failure.Message + failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("localhost:1900", null)]
    [InlineData(":1900", null)]
    [InlineData("dns:///discovery.example.com:1900", null)]
    [InlineData("passthrough:///localhost:1900", null)]
    [InlineData("[::1]:1900", null)]
    [InlineData("http://localhost:1900", "is a URL")]
    [InlineData("localhost", "has no port")]
    [InlineData("localhost:", "has no port after the colon")]
    [InlineData("localhost:1900,localhost:1901", "is a list")]
    [InlineData("localhost:1900/path", "has a path")]
    [InlineData("localhost:99999", "not from 1 to 65535")]
    [InlineData(" localhost:1900", "has blanks around it")]
    [InlineData("<instance-id>.thethings.industries:1900", "is the placeholder of the guide")]
    [InlineData("\"localhost:1900\"", "has quotes in it")]
    public void A_discovery_address_is_a_host_and_a_port(string value, string? problem)
    {
        var failure = (Good with { DiscoveryServerAddress = new(value, "TTNV2_DISCOVERY_SERVER_ADDRESS") }).Validate();
        if (problem is null)
        {
            Assert.Null(failure);
            return;
        }
        Assert.Equal("invalid_discovery_server_address", failure!.Name);
        Assert.Contains(problem, failure.Message, StringComparison.Ordinal);
        Assert.Contains("TTNV2_DISCOVERY_SERVER_ADDRESS", failure.Advice!, StringComparison.Ordinal);
    }

    [Fact]
    public void Defaults_that_decide_are_said_and_others_are_not()
    {
        Assert.Equal(2, Good.DecidedByDefault().Count);
        Assert.Contains("with-session", Good.DecidedByDefault()[0], StringComparison.Ordinal);
        var said = Good with { WithSession = new(false, "--with-session"), DiscoveryServerAddress = new("localhost:1900", "--discovery-server-address") };
        Assert.Empty(said.DecidedByDefault());
    }

    [Fact]
    public void A_setting_never_prints_its_value() => Assert.DoesNotContain("secret", Good.ToString(), StringComparison.Ordinal);
}
