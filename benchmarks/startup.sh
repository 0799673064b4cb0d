#!/usr/bin/env bash
# Start-up of the published program beside an empty console program published the same way (ReadyToRun, single file, self-contained).
# usage: benchmarks/startup.sh [rounds]     Prints medians and the ratio; ends with 1 when the ratio is above 1.5.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

dotnet publish src/Cli -c Release -r linux-x64 -o "$work/tool" -v q

# The empty program takes its settings from the same project file.
mkdir "$work/empty"
{
  echo '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net10.0</TargetFramework><OutputType>Exe</OutputType>'
  echo '<InvariantGlobalization>true</InvariantGlobalization><RuntimeIdentifiers>linux-x64</RuntimeIdentifiers>'
  grep -E '<(Publish(SelfContained|SingleFile|ReadyToRun)|IncludeNativeLibrariesForSelfExtract|TieredPGO|EventSourceSupport|UseSystemResourceKeys)>' src/Cli/Cli.csproj
  echo '</PropertyGroup></Project>'
} > "$work/empty/empty.csproj"
echo 'return 0;' > "$work/empty/Program.cs"
dotnet publish "$work/empty" -c Release -r linux-x64 -o "$work/empty/out" -v q

milliseconds() { # command...: microseconds of one run
  local start=$EPOCHREALTIME
  "$@" > /dev/null 2>&1
  local end=$EPOCHREALTIME
  echo $(( ${end/./} - ${start/./} ))
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.1f", (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) / 1000 }'; }

# Interleaved, so that whatever else the machine does hits all alike. The first rounds warm the page cache.
for ((round = -5; round < rounds; round++)); do
  keep=/dev/null
  for what in empty version help; do
    case $what in
      empty) run=("$work/empty/out/empty") ;;
      version) run=("$work/tool/ttn-lw-migrate" version) ;;
      help) run=("$work/tool/ttn-lw-migrate" --help) ;;
    esac
    [ "$round" -lt 0 ] || keep="$work/$what.times"
    milliseconds "${run[@]}" >> "$keep"
  done
done

empty=$(median "$work/empty.times") version=$(median "$work/version.times") help=$(median "$work/help.times")
echo "$rounds interleaved rounds, medians in ms: empty program $empty, version $version, --help $help"
awk -v e="$empty" -v v="$version" -v h="$help" 'BEGIN { printf "ratio to the empty program: version %.2f, --help %.2f (bar: 1.5)\n", v / e, h / e; exit !(v / e <= 1.5 && h / e <= 1.5) }'
