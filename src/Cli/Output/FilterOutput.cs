namespace Cli.Output;

/// <summary>Standard output of a filter: large writes go straight on, and a reader that went away is an error with a name.</summary>
internal sealed class FilterOutput(Stream output) : WriteOnlyStream
{
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            output.Write(buffer);
        }
        catch (IOException e)
        {
            throw new OutputException(e);
        }
    }

    public override void Flush() => output.Flush();
}
