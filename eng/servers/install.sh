#!/usr/bin/env bash
# install.sh [radosgw|azurite|postgres|pgbouncer|s3rver|fauxqs]... - installs the storage servers that the tests run against; all of them if none is named.
# Ceph RADOS Gateway, PostgreSQL and PgBouncer come from Debian's packages, the others from npm into this folder. What is there is left alone. Needs root, or sudo.
set -euo pipefail
cd "$(dirname "$0")"
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }
has() { command -v "$1" > /dev/null; }
has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null; }

[ $# -gt 0 ] || set -- radosgw azurite postgres pgbouncer s3rver fauxqs
packages=() modules=()
for server in "$@"; do
  case $server in
    radosgw) has radosgw && has ceph-mon && has ceph-osd && has uuidgen || packages+=(radosgw ceph-mon ceph-osd uuid-runtime) ;;
    postgres) has_postgres || packages+=(postgresql) ;;
    pgbouncer)
      has_postgres || packages+=(postgresql)
      [ -x /usr/sbin/pgbouncer ] || packages+=(pgbouncer) ;;
    azurite | s3rver | fauxqs)
      [ -e "node_modules/$server/package.json" ] || modules+=("$server")
      has node && has npm || packages+=(nodejs npm) ;;
    *) echo "unknown server: $server" >&2; exit 2 ;;
  esac
done

exec 9> .install.lock && flock 9 # one at a time
if [ ${#packages[@]} -gt 0 ]; then
  # Debian's script would make a cluster and start it; the tests make their own.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    as_root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf > /dev/null
  fi
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" > /dev/null
fi
for module in "${modules[@]}"; do
  if [ ! -e "node_modules/$module/package.json" ]; then
    npm install --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --silent
  fi
done
