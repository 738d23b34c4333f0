#!/usr/bin/env bash
# Publishes tests/OpsLog.AotSmoke as a native program without a warning, runs it, and compares its output with the just-in-time compiler's.
# Arguments: the runtime identifier, and servers to start and use besides (radosgw, azurite, postgres).
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

work=$(mktemp -d)
project=tests/OpsLog.AotSmoke
rid=${1:-linux-x64}
servers=("${@:2}")
declare -A input
stop() {
  local server
  for server in "${!input[@]}"; do eval "exec ${input[$server]}>&-"; done # a server ends with its input
  wait
  rm -rf "$work"
}
trap stop EXIT

for server in "${servers[@]}"; do
  mkfifo "$work/$server.in"
  bash eng/servers/start.sh "$server" < "$work/$server.in" > "$work/$server.out" 2> "$work/$server.err" &
  exec {fd}> "$work/$server.in"
  input[$server]=$fd
done

# Warnings of the trimmer and of the native compiler are errors like all others (Directory.Build.props).
dotnet publish $project -c Release -r "$rid" -o "$work/native" -v q -clp:NoSummary | tee "$work/publish.log"
if grep -q "warning" "$work/publish.log"; then echo "aot: publishing warns."; exit 1; fi
dotnet build $project -c Release -v q -clp:NoSummary

# What a server says of itself, once it is ready.
setting() { sed -n "s/^$1=//p" "$work/$2.out"; }
await() {
  local tries
  for tries in $(seq 600); do
    if grep -qx ready "$work/$1.out"; then return; fi
    sleep 0.1
  done
  cat "$work/$1.err"
  echo "aot: no $1 could be started."
  exit 1
}
locations() { # of a program of its own, so that each begins with nothing
  local server port
  for server in "${servers[@]}"; do
    case $server in
      radosgw) echo "s3://opslog-smoke/$1?endpoint=$(setting OPSLOG_TEST_S3_ENDPOINT radosgw)&region=us-east-1" ;;
      azurite) echo "azblob://opslog-smoke/$1" ;;
      postgres)
        port=$(setting OPSLOG_TEST_POSTGRES postgres | sed 's/.*Port=\([0-9]*\).*/\1/')
        echo "postgres://opslog@127.0.0.1:$port/postgres?store=$1" ;;
    esac
  done
}
for server in "${servers[@]}"; do
  await "$server"
  case $server in
    radosgw)
      AWS_ACCESS_KEY_ID=$(setting OPSLOG_TEST_S3_ACCESS_KEY radosgw) AWS_SECRET_ACCESS_KEY=$(setting OPSLOG_TEST_S3_SECRET_KEY radosgw)
      export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
      # The hash is that of no bytes: an empty request signs it, and older versions of curl do not say so by themselves.
      curl -sSf -X PUT -H "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" --aws-sigv4 "aws:amz:us-east-1:s3" \
        --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$(setting OPSLOG_TEST_S3_ENDPOINT radosgw)/opslog-smoke" > /dev/null ;;
    azurite) # the account and key that every Azurite has
      export AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=$(setting OPSLOG_TEST_AZURE_ENDPOINT azurite)" ;;
  esac
done

mapfile -t places < <(locations jit)
dotnet $project/bin/Release/net10.0/OpsLog.AotSmoke.dll "$work/store-jit" "${places[@]}" > "$work/jit.txt"
mapfile -t places < <(locations native)
"$work/native/OpsLog.AotSmoke" "$work/store-native" "${places[@]}" > "$work/native.txt"
cat "$work/native.txt"
diff "$work/jit.txt" "$work/native.txt" || { echo "aot: the native program prints something else."; exit 1; }
[ "$(wc -l < "$work/native.txt")" -ge $((14 + ${#servers[@]})) ] || { echo "aot: the program printed too little."; exit 1; }
file=$work/native/OpsLog.AotSmoke
echo "aot: published without a warning ($(($(wc -c < "$file") / 1024)) KiB native), output equal to the just-in-time compiler's"
