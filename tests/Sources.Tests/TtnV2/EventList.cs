using Migration;

namespace Sources.Tests.TtnV2;

/// <summary>Keeps the events of a run.</summary>
internal sealed class EventList : IProgress<ExportEvent>
{
    public List<ExportEvent> Events { get; } = [];

    public void Report(ExportEvent value) => Events.Add(value);

    public IEnumerable<T> Of<T>()
        where T : ExportEvent => Events.OfType<T>();
}
