#!/usr/bin/env bash
# start.sh SERVER - runs one storage server (radosgw, azurite, postgres, pgbouncer, s3rver or fauxqs) on a free port of 127.0.0.1, installing it first if it is missing.
# Prints how to reach it as NAME=VALUE lines and then "ready"; runs until its standard input ends (so it ends with whoever started it), then stops what
# it started and deletes its data. By hand: bash eng/servers/start.sh radosgw, and Ctrl+D to stop. OPSLOG_SERVER_ADDRESS is where radosgw and postgres listen
# (127.0.0.1): another address lets in whoever can reach it, so give one of a network that leads nowhere.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
server=${1:?"usage: start.sh radosgw|azurite|postgres|pgbouncer|s3rver|fauxqs"}
[ -f "$here/$server.sh" ] || { echo "unknown server: $server" >&2; exit 2; }
bash "$here/install.sh" "$server" >&2

data=$(mktemp -d "${TMPDIR:-/tmp}/opslog-$server.XXXXXX")
address=${OPSLOG_SERVER_ADDRESS:-127.0.0.1}
started=() # in this order; the numbers of the processes are in files, for a script that kills and starts them again may change them
# A port nobody listens on, below those that the system gives out by itself.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)); (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do :; done
  echo "$port"
}
# start NAME COMMAND... - in the background, in a session of its own, its output in a file.
start() {
  local name=$1; shift
  setsid "$@" > "$data/$name.out" 2>&1 < /dev/null &
  echo $! > "$data/$name.started"
  started+=("$name")
}
await_http() {
  for _ in $(seq 300); do
    if curl -s -m 2 -o /dev/null "$1"; then return; fi
    kill -0 "$(< "$data/${started[-1]}.started")" 2> /dev/null || break
    sleep .1
  done
  echo "$server did not start:" >&2; tail -n 5 "$data"/*.out >&2; exit 1
}
stop() {
  trap - EXIT
  stop_server 2> /dev/null || true
  local i pid
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do
    pid=$(< "$data/${started[i]}.started")
    kill "$pid" 2> /dev/null || continue
    for _ in $(seq 20); do kill -0 "$pid" 2> /dev/null || break; sleep .1; done
    kill -9 "$pid" 2> /dev/null || true
  done
  rm -rf "$data"
}
stop_server() { :; }
trap stop EXIT
trap 'exit 1' INT TERM HUP

. "$here/$server.sh"
echo ready
cat > /dev/null
