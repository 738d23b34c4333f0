#!/usr/bin/env bash
# Builds every library of the last commit twice, in two clones in two folders, and compares them byte for byte. The clones have a made-up origin on a known
# host, so that what a release has can be seen: the symbols link every source to that commit, and the packages name it. Arguments: the libraries, all without.
set -euo pipefail
cd "$(dirname "$0")/.."
export CI=true DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en

fail() { printf 'reproducible: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
origin=https://github.com/example/opslog
commit=$(git rev-parse HEAD)
libraries=("$@")
[ $# -gt 0 ] || libraries=(OpsLog OpsLog.AzureBlobs OpsLog.Extensions OpsLog.PostgreSql OpsLog.S3 OpsLog.Testing OpsLog.Cli)

for folder in one another/folder; do
  git clone -q . "$work/$folder"
  git -C "$work/$folder" remote set-url origin "$origin.git"
  # What the analyzers find is not in the output, and the solution's build has looked already.
  for library in "${libraries[@]}"; do
    dotnet build "$work/$folder/src/$library" -c Release -v q -clp:NoSummary -p:RunAnalyzers=false
  done
done

for library in "${libraries[@]}"; do
  for kind in dll pdb; do
    built=src/$library/bin/Release/net10.0/$library.$kind
    cmp "$work/one/$built" "$work/another/folder/$built" || fail "$library.$kind is another when it is built in another folder"
  done
  links=$(grep -aoE '\{"documents":\{[^}]*\}\}' "$work/one/${built}") || fail "the symbols of $library link no sources"
  [ "$links" = "{\"documents\":{\"/_/*\":\"https://raw.githubusercontent.com/example/opslog/$commit/*\"}}" ] || fail "the symbols of $library link to $links"
  dotnet pack "$work/one/src/$library" -c Release --no-build -o "$work/feed" -v q -clp:NoSummary
done

for package in "$work"/feed/*.nupkg; do
  unzip -p "$package" '*.nuspec' | grep -q "<repository type=\"git\" url=\"$origin[^ ]*\" .*commit=\"$commit\" />" || fail "$(basename "$package") does not name its repository and commit"
done
echo "reproducible: ${#libraries[@]} libraries built twice, byte for byte the same; symbols link to the sources, packages name the commit"
