using Testing;
using TheThingsStack.Api;
using TheThingsStack.Validation;
using Xunit.Abstractions;

namespace TheThingsStack.Tests.Validation;

public class GoldenValidateTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_recorded_device_gets_the_verdict_the_field_and_the_reason_of_the_original() => Golden.Check("tts-validate.jsonl.gz", output.WriteLine, row =>
    {
        var device = EndDevice.Parser.ParseFrom(Convert.FromBase64String(row.Text("pb")!));
        var violation = DeviceValidator.Validate(device);
        if (row.Json.GetProperty("valid").GetBoolean())
            return violation is null ? null : $"{row.Text("rule")}: valid, but we say {violation}";
        if (violation is not { } found)
            return $"{row.Text("rule")}: we say valid, but {row.Text("field")}: {row.Text("reason")}";
        var answers = new List<(string? Field, string? Reason)> { (row.Text("field"), row.Text("reason")) };
        if (row.Json.TryGetProperty("others", out var others))
            answers.AddRange(others.EnumerateArray().Select(o => (o.GetProperty("field").GetString(), o.GetProperty("reason").GetString())));
        return answers.Contains((found.Field, found.Reason)) ? null : $"{row.Text("rule")}: we say {found}, recorded {string.Join(" or ", answers)}";
    });
}
