#!/bin/sh
# The long runs, which continuous integration makes short: 200 rounds of kill -9 at each level, 200 random programs against the npm
# package (needs Node.js and npm), and the properties with ten times the cases. Each can be named alone: eng/full-runs.sh kill
set -eu
cd "$(dirname "$0")/.."

kill_rounds() { OPSLOG_KILL_ROUNDS=${OPSLOG_KILL_ROUNDS:-200} dotnet run -c Release --project tests/OpsLog.Tests -- -namespace OpsLog.Tests.Kill; }
interop() { CI=true OPSLOG_INTEROP_PROGRAMS=${OPSLOG_INTEROP_PROGRAMS:-200} dotnet run -c Release --project tests/OpsLog.Interop; }
properties() { OPSLOG_PROPERTY_FACTOR=${OPSLOG_PROPERTY_FACTOR:-10} dotnet run -c Release --project tests/OpsLog.Tests -- -namespace OpsLog.Tests.Properties; }

case "${1:-all}" in
  kill) kill_rounds ;;
  interop) interop ;;
  properties) properties ;;
  all) kill_rounds && interop && properties ;;
  *) echo "usage: eng/full-runs.sh [kill|interop|properties]" >&2; exit 2 ;;
esac
