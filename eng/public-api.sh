#!/bin/sh
# public-api.sh [PROJECT]... - brings the lists of the public surface (PublicAPI.Unshipped.txt) up to date with the code. Read the difference before you commit it.
set -eu
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- OpsLog OpsLog.Extensions OpsLog.Testing OpsLog.S3 OpsLog.AzureBlobs OpsLog.PostgreSql
for project; do
  list=src/$project/PublicAPI.Unshipped.txt
  printf '#nullable enable\n' > "$list"
  dotnet build "src/$project" --no-incremental --no-dependencies -p:TreatWarningsAsErrors=false -v:q -clp:NoSummary |
    sed -n "s/.*RS0016: Symbol '\(.*\)' is not part of the declared public API.*/\1/p" | LC_ALL=C sort -u > "$list.new"
  # What has shipped is listed there.
  grep -vxF -f "src/$project/PublicAPI.Shipped.txt" "$list.new" >> "$list" || true
  rm "$list.new"
done
