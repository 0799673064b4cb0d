using TheThingsStack.Errors;

namespace Migration;

/// <summary>Counts what happened, by reason.</summary>
internal sealed class Tally
{
    private readonly Dictionary<string, Reason> problems = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Reason> notes = new(StringComparer.Ordinal);

    public int Exported { get; set; }

    public int FromJournal { get; set; }

    public int Skipped { get; set; }

    public int Rejected { get; private set; }

    public int Retired { get; set; }

    /// <summary>Exported devices that a real run would retire; counted in a dry run.</summary>
    public int ToRetire { get; set; }

    public int RetireFailed { get; private set; }

    public int Imported { get; set; }

    public int ImportedBefore { get; set; }

    public int ImportFailed { get; private set; }

    /// <summary>Devices whose turn did not come before the run ended.</summary>
    public int ImportLeft { get; set; }

    /// <summary>True when a device had a problem.</summary>
    public bool HasProblems => Rejected + RetireFailed + ImportFailed > 0;

    public void Reject(string device, Failure failure)
    {
        Rejected++;
        Add(problems, CodeOf(failure), failure.Advice is { } advice ? $"{Innermost(failure).Message}: {advice}" : Innermost(failure).Message, true, device);
    }

    public void FailImport(string device, Failure failure)
    {
        ImportFailed++;
        Add(problems, CodeOf(failure), failure.Advice is { } advice ? $"{Innermost(failure).Message}: {advice}" : Innermost(failure).Message, true, device);
    }

    public void FailRetirement(string device, Failure failure)
    {
        RetireFailed++;
        Add(problems, failure.Name ?? "retire", failure.Message, true, device);
    }

    public void Note(string device, Note note) => Add(notes, note.Code, note.Text, note.NeedsPerson, device);

    public IReadOnlyList<ReasonCount> Problems() => Sorted(problems, _ => null);

    public IReadOnlyList<ReasonCount> Notes(Func<string, string?> guide) => Sorted(notes, guide);

    private static void Add(Dictionary<string, Reason> reasons, string code, string text, bool needsPerson, string device)
    {
        if (!reasons.TryGetValue(code, out var reason))
            reasons.Add(code, reason = new Reason(text, needsPerson));
        reason.Count++;
        reason.IsExample |= reason.Text != text;
        if (reason.Devices.Count < ExportSummary.ListedPerReason)
            reason.Devices.Add(device);
    }

    private static List<ReasonCount> Sorted(Dictionary<string, Reason> reasons, Func<string, string?> guide) =>
    [
        .. reasons
            .Select(r => new ReasonCount(r.Key, r.Value.IsExample ? $"e.g. {r.Value.Text}" : r.Value.Text, r.Value.Count, r.Value.NeedsPerson, guide(r.Key), r.Value.Devices))
            .OrderByDescending(r => r.NeedsPerson).ThenByDescending(r => r.Count).ThenBy(r => r.Code, StringComparer.Ordinal),
    ];

    /// <summary>The name that says most: that of the cause under a plain <c>export</c> or a server's nameless error.</summary>
    public static string CodeOf(Failure failure) =>
        failure is { Name: "export" or "import", Cause: { } cause } ? cause.Name is null or "unknown" ? "read" : cause.Name : failure.Name ?? "read";

    public static Failure Innermost(Failure failure) => failure.Cause is { } cause ? Innermost(cause) : failure;

    private sealed class Reason(string text, bool needsPerson)
    {
        public string Text { get; } = text;

        public bool NeedsPerson { get; } = needsPerson;

        public int Count { get; set; }

        /// <summary>Whether another device has the reason in other words: the text may name what is not its own.</summary>
        public bool IsExample { get; set; }

        public List<string> Devices { get; } = [];
    }
}
