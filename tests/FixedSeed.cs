// Properties try the same cases in every run. `RANDOM_PROPERTIES=true dotnet test` tries others (CONTRIBUTING.md).
[assembly: FsCheck.Xunit.Properties(Replay = "(20261124,7368787)")]
