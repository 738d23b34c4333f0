#!/bin/sh
# Plants each bug of tests/OpsLog.Simulation/mutations in a copy of the tree, and lets the simulation look for it: a table of what was found, by which seed, and by which
# invariant. The tree itself is not touched. Exit 1 if a bug stays unfound, a patch does not apply, or the tree as it is fails.
# usage: eng/mutations.sh [PATTERN]     (of file names; default: all)
# OPSLOG_MUTATION_SEEDS: how many seeds are tried for each, of each kind of program (default 20,000).
set -eu
cd "$(dirname "$0")/.."

root=$(pwd)
pattern=${1:-*}
seeds=${OPSLOG_MUTATION_SEEDS:-20000}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

mkdir "$copy/tree"
git ls-files -z --cached --others --exclude-standard -- src tests/OpsLog.Simulation '*.props' '*.txt' global.json .editorconfig | tar -c --null -T - | tar -x -C "$copy/tree"
git init -q "$copy/tree"
project=$copy/tree/tests/OpsLog.Simulation

build() { dotnet build "$project" -c Release -v:q -clp:NoSummary -p:TreatWarningsAsErrors=false -p:RunAnalyzers=false > "$copy/build.log" 2>&1; }

# The first failing seed, over the kinds of programs one after the other: "mix seed invariant". Nothing: none.
search() {
  for mix in many core; do
    if "$project/bin/Release/net10.0/OpsLog.Simulation" seeds 1 "$1" --mix "$mix" --no-shrink > "$copy/run.log" 2>&1; then continue; fi
    sed -n "s/^seed \([0-9]*\) violates \([^:]*\):.*/$mix \1 \2/p" "$copy/run.log" | head -n 1
    return
  done
}

printf '%-34s %-6s %8s  %s\n' mutation mix seed invariant
build || { cat "$copy/build.log"; exit 1; }
found=$(search 500)
printf '%-34s %s\n' "(none)" "${found:-nothing found in 500 seeds}"
status=0
[ -z "$found" ] || status=1

for patch in "$root"/tests/OpsLog.Simulation/mutations/$pattern.patch; do
  name=$(basename "$patch" .patch)
  if ! git -C "$copy/tree" apply "$patch" 2> "$copy/apply.log"; then
    printf '%-34s DOES NOT APPLY\n' "$name"; sed 's/^/    /' "$copy/apply.log"; status=1; continue
  fi
  if build; then
    found=$(search "$seeds")
    if [ -n "$found" ]; then
      set -- $found
      mix=$1; seed=$2; shift 2
      printf '%-34s %-6s %8s  %s\n' "$name" "$mix" "$seed" "$*"
    else
      printf '%-34s NOT FOUND in %s seeds\n' "$name" "$seeds"; status=1
    fi
  else
    printf '%-34s DOES NOT BUILD\n' "$name"; grep -m 3 'error' "$copy/build.log" || true; status=1
  fi
  git -C "$copy/tree" apply -R "$patch"
done
exit $status
