#!/usr/bin/env bash
# crash-radosgw.sh SERVER - kills all processes of a gateway that start.sh runs on bluestore (OPSLOG_TEST_S3_SERVER), as a power cut of them would, and starts them again
# in the same place.
set -euo pipefail
data=$1
export CEPH_CONF=$data/ceph.conf
for name in gateway osd mon; do
  pid=$(< "$data/$name.started")
  kill -9 "$pid"
  for _ in $(seq 100); do [ -e "/proc/$pid/exe" ] || break; sleep .1; done
done
again() {
  local name=$1; shift
  setsid "$@" >> "$data/$name.out" 2>&1 < /dev/null &
  echo $! > "$data/$name.started"
}
again mon ceph-mon -f -i a
again osd ceph-osd -f -i 0
for _ in $(seq 100); do timeout 5 ceph osd stat 2> /dev/null | grep -q '1 up' && break; sleep .1; done
again gateway radosgw -f -n client.admin
endpoint=$(sed -n 's/^rgw_frontends = .*endpoint=\([^ ]*\).*/\1/p' "$CEPH_CONF")
for _ in $(seq 300); do
  if curl -s -m 2 -o /dev/null "http://$endpoint/"; then exit 0; fi
  sleep .1
done
echo "the gateway did not come back:" >&2; tail -n 5 "$data"/*.out >&2; exit 1
