# A PostgreSQL of its own, with syncs on; sourced by start.sh. The server refuses to run as root, then it runs as the user postgres.
port=$(free_port)
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
as_owner() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
[ "$(id -u)" -ne 0 ] || chown postgres "$data"
as_owner "$bin/initdb" -D "$data/cluster" -U opslog -A trust -E UTF8 --locale=C --no-instructions > "$data/setup.out"
if [ "$address" != 127.0.0.1 ]; then echo "host all all samenet trust" >> "$data/cluster/pg_hba.conf"; fi
stop_server() { as_owner "$bin/pg_ctl" -D "$data/cluster" -m immediate -w stop; }
as_owner "$bin/pg_ctl" -D "$data/cluster" -l "$data/cluster.out" -w -o "-p $port -c listen_addresses=$address -c max_connections=300 -k $data" start > /dev/null
echo "OPSLOG_TEST_POSTGRES=Host=$address;Port=$port;Username=opslog;Database=postgres"
echo "OPSLOG_TEST_POSTGRES_CLUSTER=$data/cluster"
