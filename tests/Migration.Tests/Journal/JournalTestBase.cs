using System.Globalization;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Migration.Journal;

namespace Migration.Tests.Journal;

/// <summary>A journal on a disk that can fail, and devices to put into it.</summary>
public abstract class JournalTestBase : IDisposable
{
    protected static readonly JournalScope Scope = new("ttnv2", "discovery.example.com:1900");

    protected FaultyDisk Disk { get; } = new();

    protected FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    public void Dispose()
    {
        Disk.Dispose();
        GC.SuppressFinalize(this);
    }

    protected static JournalDeviceId Id(int n) => new("ttnv2", "my-app", string.Create(CultureInfo.InvariantCulture, $"dev-{n}"));

    protected static byte[] RecordOf(int n) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"record with key 00112233445566778899AABBCCDD{n:X4}"));

    protected static byte[] LineOf(int n) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $$"""{"key":"00112233445566778899AABBCCDD{{n:X4}}"}"""));

    protected static JournalChange Written(int n) => JournalChange.Written(Id(n), RecordOf(n), LineOf(n));

    protected static JournalChange Intended(int n) => JournalChange.RetireIntended(Id(n), RetireWay.Clear, "cleared"u8.ToArray());

    protected DeviceJournal Open(JournalScope? scope = null) => DeviceJournal.Open(Options(scope ?? Scope));

    protected JournalOptions Options(JournalScope? scope) => new(Disk.Journal, scope, "1.2.3", Clock);

    protected static async Task<IReadOnlyList<JournalEntry>> All(JournalReader reader)
    {
        var entries = new List<JournalEntry>();
        await foreach (var entry in reader.ReadAllAsync())
            entries.Add(entry);
        return entries;
    }
}
