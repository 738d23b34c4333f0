#!/usr/bin/env bash
# Publishes tests/OpsLog.AotSmoke as a native program without a warning, runs it, and compares its output with the just-in-time compiler's.
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
project=tests/OpsLog.AotSmoke
rid=${1:-linux-x64}

# Warnings of the trimmer and of the native compiler are errors like all others (Directory.Build.props).
dotnet publish $project -c Release -r "$rid" -o "$work/native" -v q -clp:NoSummary | tee "$work/publish.log"
if grep -q "warning" "$work/publish.log"; then echo "aot: publishing warns."; exit 1; fi
dotnet run --project $project -c Release -- "$work/store-jit" > "$work/jit.txt"
"$work/native/OpsLog.AotSmoke" "$work/store-native" > "$work/native.txt"
cat "$work/native.txt"
diff "$work/jit.txt" "$work/native.txt" || { echo "aot: the native program prints something else."; exit 1; }
[ "$(wc -l < "$work/native.txt")" -gt 10 ] || { echo "aot: the program printed too little."; exit 1; }
file=$work/native/OpsLog.AotSmoke
echo "aot: published without a warning ($(($(wc -c < "$file") / 1024)) KiB native), output equal to the just-in-time compiler's"
