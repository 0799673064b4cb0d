using System.Text;

namespace Cli.CommandLine;

/// <summary>Help of a command as text, in the layout users of the Go tool know.</summary>
public static class HelpText
{
    private const int SmallestNameColumn = 11;

    /// <summary>Description and usage.</summary>
    /// <param name="command">The command.</param>
    /// <param name="variable">Reads the environment, for the defaults.</param>
    public static string Help(Command command, Func<string, string?> variable)
    {
        var text = new StringBuilder();
        text.Append((command.Description ?? command.Summary).TrimEnd()).Append("\n\n");
        Usage(text, command, variable, withHelpFlag: true);
        return text.ToString();
    }

    /// <summary>Usage alone, as printed after an unknown help topic.</summary>
    public static string Usage(Command command, Func<string, string?> variable)
    {
        var text = new StringBuilder();
        Usage(text, command, variable, withHelpFlag: false);
        return text.ToString();
    }

    private static void Usage(StringBuilder text, Command command, Func<string, string?> variable, bool withHelpFlag)
    {
        var children = new List<Command>();
        foreach (var child in command.Children)
        {
            if (child.IsShown)
                children.Add(child);
        }
        var local = Shown(command.LocalFlags, withHelpFlag);
        var inherited = Shown(command.InheritedFlags, withHelpFlag);

        text.Append("Usage:\n");
        if (command.RunAsync is not null)
        {
            text.Append("  ").Append(command.Path);
            if (command.Operands.Length > 0)
                text.Append(' ').Append(command.Operands);
            if (command.ShowsFlagsInUsage)
                text.Append(" [flags]");
            text.Append('\n');
        }
        if (children.Count > 0)
            text.Append("  ").Append(command.Path).Append(" [command]\n");
        if (command.Aliases.Count > 0)
            text.Append("\nAliases:\n  ").Append(command.Name).Append(", ").AppendJoin(", ", command.Aliases).Append('\n');
        if (command.Examples.Count > 0)
        {
            text.Append("\nExamples:\n");
            foreach (var example in command.Examples)
                text.Append("  ").Append(example).Append('\n');
        }
        if (children.Count > 0)
            Commands(text, children);
        Flags(text, "Flags", local, variable);
        Flags(text, "Global Flags", inherited, variable);
        Variables(text, local);
        if (children.Count > 0)
            text.Append("\nUse \"").Append(command.Path).Append(" [command] --help\" for more information about a command.\n");
    }

    private static List<Flag> Shown(IEnumerable<Flag> flags, bool withHelpFlag)
    {
        var shown = new List<Flag>();
        foreach (var flag in flags)
        {
            if (!flag.Hidden && (withHelpFlag || flag.Name != "help"))
                shown.Add(flag);
        }
        shown.Sort(static (a, b) => Columns.Compare(a.Name, b.Name));
        return shown;
    }

    private static void Commands(StringBuilder text, List<Command> children)
    {
        var column = SmallestNameColumn;
        var groups = new List<string>();
        var hasUngrouped = false;
        foreach (var child in children)
        {
            column = Math.Max(column, child.Name.Length);
            if (child.Group is null)
                hasUngrouped = true;
            else if (!groups.Contains(child.Group))
                groups.Add(child.Group);
        }
        foreach (var group in groups)
            List(group, group);
        if (hasUngrouped)
            List(groups.Count == 0 ? "Available Commands" : "Additional Commands", null);

        void List(string title, string? group)
        {
            text.Append('\n').Append(title).Append(":\n");
            foreach (var child in children)
            {
                if (child.Group == group)
                    text.Append("  ").AppendColumn(child.Name, column + 1).Append(child.Summary).Append('\n');
            }
        }
    }

    private static void Flags(StringBuilder text, string title, List<Flag> flags, Func<string, string?> variable)
    {
        if (flags.Count == 0)
            return;
        var names = new string[flags.Count];
        var column = 0;
        for (var i = 0; i < names.Length; i++)
        {
            var flag = flags[i];
            names[i] = (flag.Shorthand is { } letter ? $"  -{letter}, --{flag.Name}" : $"      --{flag.Name}")
                + (flag.Kind == FlagKind.Text ? " string" : "");
            column = Math.Max(column, names[i].Length);
        }
        column += 3;
        text.Append('\n').Append(title).Append(":\n");
        var start = text.Length;
        for (var i = 0; i < names.Length; i++)
        {
            text.AppendColumn(names[i], column);
            AppendLines(text, flags[i].Description, column);
            var value = FlagValues.DefaultFor(flags[i], variable);
            if (flags[i].Kind == FlagKind.Text && value.Length > 0)
                text.Append(" (default ").Append(Quote.Double(value)).Append(')');
            else if (flags[i].Kind == FlagKind.Switch && value == "true")
                text.Append(" (default true)");
            text.Append('\n');
        }
        // The block as a whole ends without white space.
        while (text.Length > start && char.IsWhiteSpace(text[^1]))
            text.Length--;
        text.Append('\n');
    }

    private static void AppendLines(StringBuilder text, string lines, int column)
    {
        foreach (var c in lines)
        {
            text.Append(c);
            if (c == '\n')
                text.AppendColumn("", column);
        }
    }

    private static void Variables(StringBuilder text, List<Flag> flags)
    {
        var column = 0;
        foreach (var flag in flags)
        {
            foreach (var source in flag.Variables)
            {
                if (!source.Hidden)
                    column = Math.Max(column, source.Name.Length);
            }
        }
        if (column == 0)
            return;
        text.Append("\nEnvironment:\n");
        foreach (var flag in flags)
        {
            foreach (var source in flag.Variables)
            {
                if (source.Hidden)
                    continue;
                text.Append("  ").AppendColumn(source.Name, column).Append("   for --").Append(flag.Name);
                if (flag.Kind == FlagKind.Switch)
                    text.Append(", on only when it is \"").Append(source.TrueWord).Append('"');
                text.Append('\n');
            }
        }
    }
}
