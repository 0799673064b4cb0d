namespace Migration;

/// <summary>Something to know about an exported device: lost, guessed, renamed, or left to a person.</summary>
/// <param name="Code">Stable name, e.g. <c>abp_left_running</c>; notes are counted by it.</param>
/// <param name="Text">One sentence without the name of the device.</param>
/// <param name="NeedsPerson">True when somebody has to do something about this device.</param>
public sealed record Note(string Code, string Text, bool NeedsPerson = false);
