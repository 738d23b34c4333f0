#!/usr/bin/env bash
# Runs the shell blocks of docs/cli.md and docs/operations.md as they stand, each page in a folder of its own with a store in ./data.
# Those of README.md are run by .ci/run, those of docs/getting-started.md by eng/packages.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build src/OpsLog.Cli -c Release -v q -clp:NoSummary
export PATH=$PWD/src/OpsLog.Cli/bin/Release/net10.0:$PATH

for page in docs/cli.md docs/operations.md; do
  mkdir "$work/page"
  sed -n '/^ *```sh$/,/^ *```$/{/^ *```/!p}' "$page" > "$work/blocks.sh"
  [ -s "$work/blocks.sh" ] || { echo "docs: $page has no shell block."; exit 1; }
  ln -s "$PWD/samples" "$work/page/samples"
  (
    cd "$work/page"
    opslog set ./data task-1 '{"title":"Build","status":"active"}' > /dev/null
    printf '%s\n' '{"op":"set","id":"README.md","data":{"blob":"changed"}}' > edits.jsonl
    bash -euo pipefail "$work/blocks.sh" > "$work/out" 2>&1
  ) || { tail -20 "$work/out"; echo "docs: the blocks of $page do not run."; exit 1; }
  rm -rf "$work/page"
  echo "docs: $page, $(wc -l < "$work/blocks.sh") lines run"
done
