namespace Cli.Tests.Golden;

/// <summary>
/// Where this program says something else than the Go tool, on purpose. Nothing else may differ. The comparison that uses a name checks that
/// the difference is of that kind.
/// </summary>
internal static class CliDifferences
{
    public const string Additions = "additions";
    public const string AwsIot = "awsiot-built-in";
    public const string OursText = "text-of-our-own";
    public const string SaysMore = "description-says-more";
    public const string GuideDefaults = "defaults-of-the-guide";
    public const string PlansBuiltIn = "frequency-plans-built-in";
    public const string Sections = "sections-of-our-own";
    public const string Sorted = "sorted-instead-of-random";
    public const string Runtime = "runtime-rows";
    public const string CorrelationIds = "no-made-up-correlation-ids";
    public const string Advice = "advice";
    public const string Notes = "notes";
    public const string Summary = "summary";
    public const string LogLines = "log-lines";
    public const string OldSpellings = "old-spellings-accepted";
    public const string NotAvailable = "source-not-in-this-version";
    public const string KeyForm = "keys-checked-before-calls";
    public const string CleanIds = "ids-cleaned";
    public const string Duplicates = "duplicates-once";
    public const string OutputFailures = "output-that-fails-is-an-error";
    public const string Words = "values-completed";
    public const string GoesOn = "goes-on-after-a-failure";
    public const string LibraryTexts = "texts-of-go-libraries";

    public static readonly IReadOnlyDictionary<string, string> Why = new Dictionary<string, string>
    {
        [Additions] = "flags and commands that only we have are listed too",
        [AwsIot] = "the recorded program was built without the awsiot source",
        [OursText] = "completion scripts and the help on installing them are written by us",
        [SaysMore] = "our description goes on after the recorded one",
        [GuideDefaults] = "the guide's defaults: ttnv2 sessions on, addresses of the community network",
        [PlansBuiltIn] = "frequency plans are part of this program; nothing is fetched unless an address is given",
        [Sections] = "our help lists environment variables and examples",
        [Sorted] = "names of sources, attributes and devices come in a fixed order; recorded at random",
        [Runtime] = "version names .NET instead of Go, our version and commit",
        [CorrelationIds] = "a correlation ID is printed when a server gave one, not made up for local errors",
        [Advice] = "our errors end with what to do",
        [Notes] = "our notes on standard error about input that looks wrong",
        [Summary] = "a run ends with a summary on standard error",
        [LogLines] = "log lines have another form",
        [OldSpellings] = "spellings of former versions are accepted again",
        [NotAvailable] = "the source comes in a later version; until then one clear error says so",
        [KeyForm] = "a text that cannot be an API key of The Things Stack is refused before any server is called",
        [CleanIds] = "the last line of a list is trimmed too, and a byte order mark is dropped",
        [Duplicates] = "a device that is named twice is exported once",
        [OutputFailures] = "output that cannot be written is an error with exit code 1, whatever it is",
        [Words] = "values of some flags are completed",
        [GoesOn] = "after a device that fails the others follow; with --fail-fast the run ends as recorded",
        [LibraryTexts] = "the innermost cause comes from another library and is worded otherwise",
    };
}
