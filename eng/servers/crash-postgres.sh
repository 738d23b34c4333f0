#!/usr/bin/env bash
# crash-postgres.sh CLUSTER - kills a server that start.sh runs (OPSLOG_TEST_POSTGRES_CLUSTER) as a power cut of its processes would, and starts it again in the same place.
set -euo pipefail
cluster=$1
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
as_owner() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
pid=$(head -n 1 "$cluster/postmaster.pid")
read -ra children < "/proc/$pid/task/$pid/children" || true
kill -9 "$pid"
kill -9 "${children[@]}" 2> /dev/null || true
for process in "$pid" "${children[@]}"; do
  for _ in $(seq 100); do [ -e "/proc/$process/exe" ] || break; sleep .1; done
done
# Where nobody collects dead processes the number still looks taken.
rm -f "$cluster/postmaster.pid" "${cluster%/*}"/.s.PGSQL.*
as_owner "$bin/pg_ctl" -D "$cluster" -l "$cluster.out" -w -o "$(sed 's/^[^ ]* //' "$cluster/postmaster.opts")" start > /dev/null
