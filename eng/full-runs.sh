#!/bin/sh
# The long runs, which continuous integration makes short: 200 rounds of kill -9 at each level, 200 random programs against the npm
# package (needs Node.js and npm), the properties with ten times the cases, and 2, 4 and 8 processes that write to one store, five times each: at once, killed,
# and paused; 100 random programs on each real storage server; and agents in network namespaces, cut off from theirs (needs root). Each can be named alone: eng/full-runs.sh kill
set -eu
cd "$(dirname "$0")/.."

kill_rounds() { OPSLOG_KILL_ROUNDS=${OPSLOG_KILL_ROUNDS:-200} dotnet run -c Release --project tests/OpsLog.Tests -- -namespace OpsLog.Tests.Kill; }
interop() { CI=true OPSLOG_INTEROP_PROGRAMS=${OPSLOG_INTEROP_PROGRAMS:-200} dotnet run -c Release --project tests/OpsLog.Interop; }
properties() { OPSLOG_PROPERTY_FACTOR=${OPSLOG_PROPERTY_FACTOR:-10} dotnet run -c Release --project tests/OpsLog.Tests -- -namespace OpsLog.Tests.Properties; }
agents() { OPSLOG_AGENT_RUNS=${OPSLOG_AGENT_RUNS:-5} dotnet run -c Release --project tests/OpsLog.Tests -- -class OpsLog.Tests.ManyWriters.ProcessTests; }
remote() { OPSLOG_REMOTE_PROGRAMS=${OPSLOG_REMOTE_PROGRAMS:-100} dotnet run -c Release --project tests/OpsLog.RemoteTests -- -class OpsLog.RemoteTests.Programs.ProgramTests; }
partitions() { eng/partitions.sh postgres && eng/partitions.sh radosgw; }

case "${1:-all}" in
  kill) kill_rounds ;;
  interop) interop ;;
  properties) properties ;;
  agents) agents ;;
  remote) remote ;;
  partitions) partitions ;;
  all) kill_rounds && interop && properties && agents && remote && partitions ;;
  *) echo "usage: eng/full-runs.sh [kill|interop|properties|agents|remote|partitions]" >&2; exit 2 ;;
esac
