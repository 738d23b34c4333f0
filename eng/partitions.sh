#!/usr/bin/env bash
# partitions.sh radosgw|postgres [SEED [WRITES]] - three agents in three network namespaces write WRITES (2,000) operations each to one store on one real server, while the seed
# (1) cuts them off, kills them with SIGKILL and pauses them, and the server is killed and started again once. Prints a table; exit 0 if nothing acknowledged is missing and
# all agents end with the same state. Needs root, Linux network namespaces and iproute2. Nothing leaves the namespaces that it makes; all of it ends within half an hour.
set -euo pipefail
cd "$(dirname "$0")/.."
server=${1:?"usage: partitions.sh radosgw|postgres [SEED [WRITES]]"} seed=${2:-1} writes=${3:-2000}
limit=1800
agents=(a b c)
[ "$(id -u)" -eq 0 ] || { echo "partitions.sh needs root: it makes network namespaces." >&2; exit 2; }
command -v ip > /dev/null || { echo "partitions.sh needs iproute2." >&2; exit 2; }
[ -f src/OpsLog.Cli/bin/Release/net10.0/OpsLog.Cli.dll ] || dotnet build src/OpsLog.Cli -c Release -v:q -clp:NoSummary

work=$(mktemp -d "${TMPDIR:-/tmp}/opslog-partitions.XXXXXX")
cp -r src/OpsLog.Cli/bin/Release/net10.0 "$work/tool" # whoever builds meanwhile changes nothing here
opslog=(dotnet "$work/tool/OpsLog.Cli.dll")
space() { echo "opslog-$1-$$"; }
hub=$(space hub)
inside() { ip netns exec "$(space "$1")" timeout -k 5 "$limit" "${@:2}"; }

clean_up() {
  trap - EXIT
  local name _
  touch "$work/over"
  [ -z "${input:-}" ] || exec {input}>&- # the server stops when its input ends
  for name in "${agents[@]}"; do ip netns pids "$(space "$name")" 2> /dev/null | xargs -r kill -9 2> /dev/null || true; done
  for _ in $(seq 100); do kill -0 "${server_job:-}" 2> /dev/null || break; sleep .1; done
  ip netns pids "$hub" 2> /dev/null | xargs -r kill -9 2> /dev/null || true
  for name in hub "${agents[@]}"; do ip netns del "$(space "$name")" 2> /dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
fail() { echo "FAILED: $*" >&2; tail -n 3 "$work"/*.err >&2 || true; exit 1; }

# A bridge in a namespace of the server's, and a cable from it to a namespace of each agent's.
make_network() {
  local name number=10
  ip netns add "$hub"
  ip -n "$hub" link set lo up
  ip -n "$hub" link add switch type bridge
  ip -n "$hub" addr add 10.77.0.1/24 dev switch
  ip -n "$hub" link set switch up
  for name in "${agents[@]}"; do
    ip netns add "$(space "$name")"
    ip -n "$(space "$name")" link set lo up
    ip -n "$hub" link add "to-$name" type veth peer name cable netns "$(space "$name")"
    ip -n "$hub" link set "to-$name" master switch
    ip -n "$hub" link set "to-$name" up
    ip -n "$(space "$name")" addr add "10.77.0.$((number += 1))/24" dev cable
    ip -n "$(space "$name")" link set cable up
  done
}

start_server() {
  local line
  mkfifo "$work/input" "$work/output"
  OPSLOG_SERVER_ADDRESS=10.77.0.1 OPSLOG_RADOSGW_STORE=bluestore ip netns exec "$hub" bash eng/servers/start.sh "$server" < "$work/input" > "$work/output" 2> "$work/server.err" &
  server_job=$!
  exec {input}> "$work/input"
  while IFS= read -r line; do
    case $line in
      OPSLOG_TEST_S3_ENDPOINT=*) endpoint=${line#*=} ;;
      OPSLOG_TEST_S3_ACCESS_KEY=*) export AWS_ACCESS_KEY_ID=${line#*=} ;;
      OPSLOG_TEST_S3_SECRET_KEY=*) export AWS_SECRET_ACCESS_KEY=${line#*=} ;;
      OPSLOG_TEST_S3_SERVER=*) crash=(crash-radosgw.sh "${line#*=}") ;;
      OPSLOG_TEST_POSTGRES=*) port=${line#*Port=}; port=${port%%;*} ;;
      OPSLOG_TEST_POSTGRES_CLUSTER=*) crash=(crash-postgres.sh "${line#*=}") ;;
      ready) break ;;
    esac
  done < "$work/output"
  [ "${line:-}" = ready ] || fail "the server did not start"
  if [ "$server" = radosgw ]; then
    store="s3://opslog/shared?endpoint=$endpoint&region=us-east-1"
    ip netns exec "$hub" curl -s --fail-with-body -m 60 -X PUT --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
      -H "x-amz-content-sha256: $(printf '' | sha256sum | cut -d ' ' -f 1)" "$endpoint/opslog" > "$work/bucket.err" || fail "the bucket could not be made"
  else
    store="postgres://opslog@10.77.0.1:$port/postgres?store=shared"
  fi
}

# What an agent has still to write: a record of its own, every fifth time together with one that all write, and a checkpoint now and then.
remaining() {
  awk -v agent="$1" -v all="$writes" -v run="$2" '
    { acked[$1] = 1 }
    END {
      for (n = 1; n <= all; n++) {
        if (n in acked) continue
        own = "{\"op\":\"set\",\"id\":\"" agent "-" n "\",\"data\":{\"by\":\"" agent "\",\"n\":" n "}}"
        if (n % 5 == 0) own = "{\"op\":\"batch\",\"ops\":[" own ",{\"op\":\"set\",\"id\":\"shared-" n % 7 "\",\"data\":{\"by\":\"" agent "\",\"n\":" n "}}]}"
        print n "\t" own
        if ((n + run) % 250 == 0) print "-\t{\"op\":\"compact\"}"
      }
    }' "$work/$1.acked"
}

# Runs one agent until all of its writes are acknowledged, whatever ends it in between.
run_agent() {
  local agent=$1 run=0 status n k
  : > "$work/$agent.acked"; : > "$work/$agent.ended"
  while [ "$(wc -l < "$work/$agent.acked")" -lt "$writes" ] && [ ! -e "$work/over" ]; do
    run=$((run + 1))
    remaining "$agent" "$run" > "$work/$agent.todo"
    status=0
    cut -f 2 "$work/$agent.todo" > "$work/$agent.lines"
    inside "$agent" "${opslog[@]}" apply "$store" "$work/$agent.lines" --agent "$agent" --ack --concurrency 4 --refresh-every 50 > "$work/$agent.acks" 2> "$work/$agent.err" || status=$?
    # A number without its newline was not wholly said, and does not count.
    while IFS= read -r k; do echo "$k"; done < "$work/$agent.acks" > "$work/$agent.said"
    awk -F '\t' 'NR == FNR { number[FNR] = $1; next } number[$1] != "-" { print number[$1] }' "$work/$agent.todo" "$work/$agent.said" >> "$work/$agent.acked"
    : > "$work/$agent.acks"
    echo "$status" >> "$work/$agent.ended"
    case $status in
      0 | 137) ;;                                                   # done, or killed
      3 | 5) sed "s/^/$agent: /" "$work/$agent.err" >> "$work/gave-up.err" ;; # it gave up on the storage, and is started again
      *) cp "$work/$agent.err" "$work/failed.err"; touch "$work/failed"; return ;;
    esac
  done
  touch "$work/$agent.done"
}

# One agent's bad luck, by a seed of its own.
trouble() {
  local agent=$1 kind time
  RANDOM=$((seed * 100 + $2))
  : > "$work/$agent.faults"
  while [ ! -e "$work/$agent.done" ] && [ ! -e "$work/over" ]; do
    sleep "$((RANDOM % 4)).$((RANDOM % 10))"
    kind=$((RANDOM % 4)) time=$((RANDOM % 3)).$((RANDOM % 10))
    case $kind in
      0 | 1) echo partition; ip -n "$hub" link set "to-$agent" down; sleep "$time"; ip -n "$hub" link set "to-$agent" up ;;
      2) echo pause; signal "$agent" STOP; sleep "$time"; signal "$agent" CONT ;;
      3) [ ! -s "$work/$agent.acks" ] || signal "$agent" KILL ;; # who has not got anywhere yet is spared, so that a slow machine ends too
    esac >> "$work/$agent.faults" 2> /dev/null || break # everything is being taken down
  done
}
signal() { ip netns pids "$(space "$1")" | xargs -r kill "-$2" 2> /dev/null || true; }

acknowledged() { cat "$work"/?.acked "$work"/?.acks 2> /dev/null | wc -l; }

make_network
start_server
troubles=()
started=$SECONDS
inside a "${opslog[@]}" apply "$store" --agent first < <(echo '{"id":"first","data":{"by":"first","n":0}}') 2> "$work/first.err" || fail "the store could not be made"
for i in "${!agents[@]}"; do
  run_agent "${agents[i]}" {input}>&- &
  trouble "${agents[i]}" "$i" {input}>&- &
  troubles+=($!)
done

restarts=0
until [ -e "$work/a.done" ] && [ -e "$work/b.done" ] && [ -e "$work/c.done" ]; do
  [ ! -e "$work/failed" ] || fail "an agent ended in a way that it must not"
  [ $((SECONDS - started)) -lt "$limit" ] || fail "not done within $limit s"
  if [ "$restarts" -eq 0 ] && [ "$(acknowledged)" -gt $((writes * 3 / 2)) ]; then
    restarts=1
    ip netns exec "$hub" bash "eng/servers/${crash[0]}" "${crash[1]}" {input}>&- 2> "$work/crash.err" || fail "the server did not come back"
  fi
  sleep .2
done
took=$((SECONDS - started))
[ "$restarts" -eq 1 ] || fail "the server was not restarted"
wait "${troubles[@]}" # each mends what it has broken

# Each looks from its own place, once everything is quiet.
total=0 missing=0
printf '\n%s, seed %s, %s s, server killed and started again %s time\n\n' "$server" "$seed" "$took" "$restarts"
echo "| agent | acknowledged | missing | cut off | paused | killed | gave up, started again | state |"
echo "|---|---|---|---|---|---|---|---|"
for agent in "${agents[@]}"; do
  inside "$agent" "${opslog[@]}" export "$store" 2> "$work/$agent.err" | LC_ALL=C sort > "$work/$agent.state" || fail "agent $agent cannot read the store"
  lost=$(awk -v agent="$agent" '{ print "{\"id\":\"" agent "-" $1 "\",\"data\":{\"by\":\"" agent "\",\"n\":" $1 "}}" }' "$work/$agent.acked" | LC_ALL=C sort | LC_ALL=C comm -23 - "$work/$agent.state" | wc -l)
  count=$(sort -u "$work/$agent.acked" | wc -l)
  total=$((total + count)) missing=$((missing + lost))
  of() { grep -c "^$1$" "$work/$agent.faults" || true; }
  killed=$(grep -c '^137$' "$work/$agent.ended" || true)
  gave_up=$(grep -c '^[35]$' "$work/$agent.ended" || true)
  echo "| $agent | $count | $lost | $(of partition) | $(of pause) | $killed | $gave_up | $(sha256sum < "$work/$agent.state" | cut -c 1-12) |"
done
echo
[ ! -e "$work/gave-up.err" ] || cut -c 1-200 "$work/gave-up.err" | sort | uniq -c | sort -rn | head -n 8 >&2
inside a "${opslog[@]}" verify "$store" > "$work/verify.out" 2> "$work/verify.err" || fail "verify: $(cat "$work/verify.out")"
cmp -s "$work/a.state" "$work/b.state" && cmp -s "$work/b.state" "$work/c.state" || fail "the agents do not show the same"
[ "$missing" -eq 0 ] || fail "$missing acknowledged writes are missing"
[ "$total" -eq $((writes * 3)) ] || fail "$total writes acknowledged, not $((writes * 3))"
echo "$total acknowledged, 0 missing, all three show the same $(wc -l < "$work/a.state") records, verify finds nothing."
