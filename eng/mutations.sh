#!/bin/sh
# Plants each bug of tests/OpsLog.Simulation/mutations in a copy of the tree, and lets the simulation look for it: a table of what was found, by which seed, and by which
# invariant; and which of the named scenarios (HoleTests, MisreadingTests) fail with it. The tree itself is not touched.
# Exit 1 if a bug is found by neither, a patch does not apply, the tree as it is fails, or a scenario fails with none of the bugs.
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

build() { dotnet build "$@" -c Release -v:q -clp:NoSummary -p:TreatWarningsAsErrors=false -p:RunAnalyzers=false -p:EnforceCodeStyleInBuild=false -p:UseSharedCompilation=true > "$copy/build.log" 2>&1; }

# The bugs are all in the library, which the simulation knows by its public surface alone: that is all there is to build for each.
rebuild() { build "$copy/tree/src/OpsLog" --no-restore && cp "$copy/tree/src/OpsLog/bin/Release/net10.0/OpsLog.dll" "$project/bin/Release/net10.0/"; }

# The first failing seed, over the kinds of programs one after the other: "mix seed invariant". Nothing: none.
search() {
  for mix in many core beside; do
    if "$project/bin/Release/net10.0/OpsLog.Simulation" seeds 1 "$1" --mix "$mix" --no-shrink > "$copy/run.log" 2>&1; then continue; fi
    sed -n "s/^seed \([0-9]*\) violates \([^:]*\):.*/$mix \1 \2/p" "$copy/run.log" | head -n 1
    return
  done
}

# The named scenarios that fail: "H4 A8".
scenarios() {
  "$project/bin/Release/net10.0/OpsLog.Simulation" -class 'OpsLog.Simulation.Tests.HoleTests' -class 'OpsLog.Simulation.Tests.MisreadingTests' > "$copy/tests.log" 2>&1 && return
  sed -n 's/.*Tests\.\([HA][0-9]*\)_.*\[FAIL\].*/\1/p' "$copy/tests.log" | sort -uV | tr '\n' ' '
}

printf '%-34s %-6s %8s  %-32s %s\n' mutation mix seed invariant scenarios
build "$project" || { cat "$copy/build.log"; exit 1; }
found=$(search 500)
failing=$(scenarios)
printf '%-34s %s\n' "(none)" "${found:-nothing found in 500 seeds} $failing"
status=0
[ -z "$found$failing" ] || status=1
all=" "

for patch in "$root"/tests/OpsLog.Simulation/mutations/$pattern.patch; do
  name=$(basename "$patch" .patch)
  if ! git -C "$copy/tree" apply "$patch" 2> "$copy/apply.log"; then
    printf '%-34s DOES NOT APPLY\n' "$name"; sed 's/^/    /' "$copy/apply.log"; status=1; continue
  fi
  if rebuild; then
    found=$(search "$seeds")
    failing=$(scenarios)
    all="$all$failing"
    if [ -n "$found" ]; then
      set -- $found
      mix=$1; seed=$2; shift 2
      printf '%-34s %-6s %8s  %-32s %s\n' "$name" "$mix" "$seed" "$*" "$failing"
    else
      printf '%-34s %-48s %s\n' "$name" "not in $seeds seeds of each kind" "${failing:-NOT FOUND}"
      [ -n "$failing" ] || status=1
    fi
  else
    printf '%-34s DOES NOT BUILD\n' "$name"; grep -m 3 'error' "$copy/build.log" || true; status=1
  fi
  git -C "$copy/tree" apply -R "$patch"
done

if [ "$pattern" = '*' ]; then
  for scenario in H1 H2 H3 H4 H5 H6 H7 H8 H9 H10 A1 A2 A3 A4 A5 A6 A7 A8; do
    case "$all" in *" $scenario "*) ;; *) printf '%s fails with none of the bugs\n' "$scenario"; status=1 ;; esac
  done
fi

exit $status
