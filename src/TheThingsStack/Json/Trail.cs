using System.Globalization;
using System.Text;

namespace TheThingsStack.Json;

/// <summary>Where a reader or writer stands, kept as numbers so that it costs nothing until an error needs the text of the path.</summary>
internal sealed class Trail
{
    /// <summary>Levels of objects and lists that are read or written; deeper ones are refused (R7).</summary>
    public const int MaxDepth = 128;

    [ThreadStatic]
    private static Trail? free;

    private readonly Step[] steps = new Step[MaxDepth + 2];

    private struct Step
    {
        public FieldTable? Field;
        public int Index;
        public int NameStart;
        public int NameLength;
    }

    /// <summary>Takes a trail of this thread.</summary>
    public static Trail Take()
    {
        var trail = free ?? new Trail();
        free = null;
        return trail;
    }

    /// <summary>Gives a trail back.</summary>
    public static void Return(Trail trail) => free = trail;

    /// <summary>The object at <paramref name="depth"/> is in a field.</summary>
    public void Enter(int depth, FieldTable? field)
    {
        ref var step = ref steps[depth];
        step.Field = field;
        step.Index = -1;
        step.NameLength = 0;
    }

    /// <summary>The object at <paramref name="depth"/> is in a member without a table: unknown, or the key of a map.</summary>
    public void EnterName(int depth, int start, int length)
    {
        ref var step = ref steps[depth];
        step.NameStart = start;
        step.NameLength = length;
        step.Index = -1;
    }

    /// <summary>Sets the place in a list.</summary>
    public void At(int depth, int index) => steps[depth].Index = index;

    /// <summary>Leaves the member of the object at <paramref name="depth"/>.</summary>
    public void Leave(int depth)
    {
        steps[depth] = default;
        steps[depth].Index = -1;
    }

    /// <summary>The path, e.g. <c>mac_state.queued_responses[0].cid</c>, of the first <paramref name="depth"/> levels.</summary>
    /// <param name="depth">Levels.</param>
    /// <param name="text">Text that the names without a table are taken from.</param>
    public string Path(int depth, ReadOnlySpan<byte> text)
    {
        var path = new StringBuilder();
        for (var i = 1; i <= depth; i++)
        {
            var step = steps[i];
            if (step.Field is { } field)
            {
                if (path.Length > 0)
                    path.Append('.');
                path.Append(field.Name);
            }
            if (step.NameLength > 0)
            {
                var name = Encoding.UTF8.GetString(text.Slice(step.NameStart, Math.Min(step.NameLength, 64)));
                if (step.Field is not null)
                    path.Append('[').Append(name).Append(']');
                else
                    path.Append(path.Length > 0 ? "." : "").Append(name);
            }
            if (step.Index >= 0)
                path.Append('[').Append(step.Index.ToString(CultureInfo.InvariantCulture)).Append(']');
        }
        return path.ToString();
    }
}
