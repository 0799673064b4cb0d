using System.Text;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Json;
using TheThingsStack.Validation;
using Xunit.Abstractions;

namespace TheThingsStack.Tests.Validation;

/// <summary>The field rules are written once for messages and once for the bytes of a file: both say the same.</summary>
public class ReaderValidationTests(ITestOutputHelper output)
{
    [Fact]
    public void The_reader_finds_the_same_devices_valid_as_the_validator() => Golden.Check(
        "tts-validate.jsonl.gz",
        output.WriteLine,
        row =>
        {
            try
            {
                return Difference(TtsJson.WriteBytes(EndDevice.Parser.ParseFrom(Convert.FromBase64String(row.Text("pb")!))));
            }
            catch (TtsJsonException)
            {
                // Not every message that breaks a rule can be written down.
                return null;
            }
        },
        "reader");

    [Fact]
    public void The_reader_finds_the_same_devices_valid_as_the_validator_however_they_are_written() => Golden.Check(
        "tts-json-decode.jsonl.gz", output.WriteLine, row => Difference(Encoding.UTF8.GetBytes(row.Text("text")!)), "reader and validator");

    private static string? Difference(byte[] file)
    {
        try
        {
            foreach (var line in new DeviceJsonReader(new MemoryStream(file), validate: true).ReadAsync().ToBlockingEnumerable())
            {
                if (line.Device is { } device && DeviceValidator.Validate(device) is var violation && line.IsValid != (violation is null))
                    return $"the reader says {(line.IsValid ? "valid" : "not valid")}, the validator {violation?.ToString() ?? "valid"}: {Encoding.UTF8.GetString(file)}";
            }
        }
        catch (TtsJsonException)
        {
            // No device after that place.
        }
        return null;
    }
}
