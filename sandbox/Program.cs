using Sandbox.Commands;

return await SandboxCommands.RunAsync(args, Console.Out, Console.Error);
