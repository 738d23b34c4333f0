#!/usr/bin/env bash
# Packs everything, looks into the packages, installs them from a local feed into fresh projects and as a fresh tool, and follows
# docs/getting-started.md to the letter: its commands are run, its program is compiled, its output compared. Argument: where the packages go.
set -euo pipefail
cd "$(dirname "$0")/.."
export CI=true DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en

fail() { printf 'packages: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
feed=${1:-$work/feed}
mkdir -p "$feed" "$work/fresh"
feed=$(cd "$feed" && pwd)
known=${NUGET_PACKAGES:-$HOME/.nuget/packages}

echo "-- packing"
for project in src/*/*.csproj; do dotnet pack "$project" -c Release -o "$feed" -v q -clp:NoSummary; done

echo "-- looking into the packages"
for package in "$feed"/*.nupkg; do
  name=$(basename "$package")
  content=$(unzip -Z1 "$package")
  for wanted in README.md icon.png; do grep -qx "$wanted" <<< "$content" || fail "$name has no $wanted"; done
  specification=$(unzip -p "$package" '*.nuspec')
  grep -q '<license type="expression">MIT</license>' <<< "$specification" || fail "$name does not name its licence"
  grep -q '<description>.\{20,\}</description>' <<< "$specification" || fail "$name has no description"
  [ -f "${package%.nupkg}.snupkg" ] || fail "$name has no symbols"
  case $name in OpsLog.Cli.*) continue ;; esac
  grep -q '^lib/net10.0/.*\.dll$' <<< "$content" || fail "$name has no library"
  grep -q '^lib/net10.0/.*\.xml$' <<< "$content" || fail "$name has no documentation"
done

# Packages as a stranger gets them: from the feed, into an empty cache. What was restored before may be taken from there.
cat > "$work/fresh/NuGet.config" <<XML
<configuration>
  <packageSources>
    <add key="packed" value="$feed" />
    <add key="restored" value="$known" />
  </packageSources>
</configuration>
XML
export NUGET_PACKAGES=$work/cache DOTNET_CLI_HOME=$work/home PATH=$work/home/.dotnet/tools:$PATH

echo "-- a project with every library"
cd "$work/fresh"
dotnet new console -o all > /dev/null
for package in "$feed"/*.nupkg; do
  name=$(basename "$package" | sed 's/\.[0-9][0-9]*\.[0-9].*//')
  case $name in OpsLog.Cli) ;; *) dotnet add all package "$name" --prerelease > "$work/add.log" || { cat "$work/add.log"; fail "$name cannot be installed"; } ;; esac
done
cat > all/Program.cs <<'CS'
using Microsoft.Extensions.DependencyInjection;
using OpsLog;
using OpsLog.Storage;
using OpsLog.Testing;

_ = new ServiceCollection().AddOpsLog<Note>(o => o.Location = "data");
await using var store = await OpsStore<Note>.OpenAsync(new FaultyStorage(new MemoryStorage()));
await store.SetAsync("a", new Note("works"));
Console.WriteLine(store["a"].Text);

internal sealed record Note(string Text);
CS
[ "$(dotnet run --project all)" = works ] || fail "the project with every library does not work"

echo "-- docs/getting-started.md to the letter"
cd - > /dev/null
# The page says where the packages are: nobody else does.
sed -i '/key="packed"/d' "$work/fresh/NuGet.config"
rm -rf "$work"/cache/opslog*
mkdir -p "$work/home"
ln -s "$feed" "$work/home/opslog-packages"
awk -v root="$PWD" '
  /^```/ && !inside { inside = 1; kind = substr($0, 4)
    if (kind == "sh") print "exec 3>&1 1>\"$out\""
    else if (kind == "csharp") print "cat > Program.cs <<'"'"'END'"'"'"
    else print "diff - \"$out\" <<'"'"'END'"'"'"
    next }
  /^```/ { inside = 0; if (kind == "sh") print "exec 1>&3; cat \"$out\""; else print "END"; next }
  inside { print }' docs/getting-started.md > "$work/steps.sh"
started=$SECONDS
(cd "$work/fresh" && HOME=$work/home out=$work/out bash -euo pipefail "$work/steps.sh") || fail "docs/getting-started.md does not work as it stands"
[ $((SECONDS - started)) -lt 300 ] || fail "docs/getting-started.md takes $((SECONDS - started)) s"

echo "packages: $(find "$feed" -name '*.nupkg' | wc -l) packed, installed and run; getting started took $((SECONDS - started)) s"
