using Migration;

namespace Sources.Tests.TtnV2;

/// <summary>Keeps the events of a run.</summary>
internal sealed class EventList : IProgress<ExportEvent>
{
    public List<ExportEvent> Events { get; } = [];

    public Action<ExportEvent> Reported { get; set; } = _ => { };

    public void Report(ExportEvent value)
    {
        Events.Add(value);
        Reported(value);
    }

    public IEnumerable<T> Of<T>()
        where T : ExportEvent => Events.OfType<T>();
}
