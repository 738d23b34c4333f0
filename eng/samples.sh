#!/usr/bin/env bash
# Runs every sample from nothing and compares what it prints with the lines behind its "// Prints:" (a * stands for anything).
# The web API is started, asked, and stopped instead. Arguments: the samples to run, all without.
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

fail() { printf 'samples: %s\n' "$*" >&2; exit 1; }

# Lines of a file against lines with a *.
compare() {
  local sample=$1 expected=$2 printed=$3 want got
  [ "$(wc -l < "$expected")" -eq "$(wc -l < "$printed")" ] || { cat "$printed"; fail "$sample prints another number of lines than it says."; }
  while IFS= read -r want <&3 && IFS= read -r got <&4; do
    # shellcheck disable=SC2053 # a pattern on purpose
    [[ "$got" == ${want//[/\\[} ]] || fail "$sample: expected '$want', got '$got'"
  done 3< "$expected" 4< "$printed"
}

run() {
  local sample=$1 expected printed
  expected=$work/expected printed=$work/printed
  sed -n '/^\/\/ Prints:$/,$ { s/^\/\/ \?//; /^Prints:$/!p }' "$sample" > "$expected"
  [ -s "$expected" ] || fail "$sample does not say what it prints."
  dotnet run "$sample" > "$printed" || { cat "$printed"; fail "$sample failed."; }
  compare "$sample" "$expected" "$printed"
}

# status and body of a request, in one line
ask() { curl -sS -w ' %{http_code}' "$@"; }

expect() { [ "$1" = "$2" ] || fail "05-web-api: expected '$2', got '$1'"; }

run_web_api() {
  local url=http://127.0.0.1:5089 pid tries
  dotnet build "$1" -v q > "$work/web.log" 2>&1 || { cat "$work/web.log"; fail "$1 does not build."; }
  dotnet run --no-build "$1" -- --urls $url > "$work/web.log" 2>&1 &
  pid=$!
  for tries in $(seq 100); do curl -sf $url/health > /dev/null && break; sleep 0.2; done
  expect "$(ask $url/health)" "Healthy 200"
  expect "$(ask -X PUT $url/tasks/1 -H 'Content-Type: application/json' -d '{"title":"Build the API","done":false}')" " 204"
  expect "$(ask -X PUT $url/tasks/1 -H 'Content-Type: application/json' -d '{"title":"Build the API","done":true}')" " 204"
  expect "$(ask $url/tasks/1)" '{"title":"Build the API","done":true} 200'
  expect "$(ask -X POST $url/tasks/undo)" " 204"
  expect "$(ask $url/tasks/)" '{"1":{"title":"Build the API","done":false}} 200'
  expect "$(ask -X DELETE $url/tasks/2)" " 404"
  pkill -TERM -P $pid || kill -TERM $pid # the program that "dotnet run" has started
  wait $pid || true
  grep -q "The store 'tasks' is closed" "$work/web.log" || { cat "$work/web.log"; fail "the web API did not close its store."; }
}

# A Ceph gateway of its own, which ends when its input does; with a bucket.
run_s3() {
  local line endpoint="" access="" secret=""
  coproc server { bash eng/servers/start.sh radosgw; }
  while IFS= read -r line <&"${server[0]}"; do
    case $line in
      OPSLOG_TEST_S3_ENDPOINT=*) endpoint=${line#*=} ;;
      OPSLOG_TEST_S3_ACCESS_KEY=*) access=${line#*=} ;;
      OPSLOG_TEST_S3_SECRET_KEY=*) secret=${line#*=} ;;
      ready) break ;;
    esac
  done
  [ -n "$endpoint" ] || fail "no S3 server could be started."
  # The hash is that of no bytes: an empty request signs it, and older versions of curl do not say so by themselves.
  curl -sSf -X PUT -H "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" --aws-sigv4 "aws:amz:us-east-1:s3" --user "$access:$secret" "$endpoint/opslog-samples" > /dev/null
  export OPSLOG_S3="s3://opslog-samples/demo?endpoint=$endpoint" AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret
  run "$1"
  local pid=$server_PID
  eval "exec ${server[1]}>&-"
  wait "$pid" || true
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf .demo
count=0
for sample in "${@:-samples/[0-9]*.cs}"; do
  for sample in $sample; do
    printf -- '-- %s\n' "$sample"
    case $sample in
      *05-web-api.cs) run_web_api "$sample" ;;
      *06-s3.cs) run_s3 "$sample" ;;
      *) run "$sample" ;;
    esac
    count=$((count + 1))
  done
done
echo "samples: $count ran, output as expected"
