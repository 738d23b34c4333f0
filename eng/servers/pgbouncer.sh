# PgBouncer in transaction mode before a PostgreSQL of its own: few sessions, handed to another client with each transaction; sourced by start.sh.
. "$here/postgres.sh"
pooler_port=$(free_port)
cat > "$data/pgbouncer.ini" << C
[databases]
* = host=$address port=$port user=opslog
[pgbouncer]
listen_addr = $address
listen_port = $pooler_port
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
C
chmod 644 "$data/pgbouncer.ini"
if [ "$(id -u)" -eq 0 ]; then start pgbouncer setpriv --reuid=postgres --regid=postgres --clear-groups /usr/sbin/pgbouncer "$data/pgbouncer.ini"
else start pgbouncer /usr/sbin/pgbouncer "$data/pgbouncer.ini"; fi
for _ in $(seq 100); do (exec 3<> "/dev/tcp/$address/$pooler_port") 2> /dev/null && break; sleep .1; done
echo "OPSLOG_TEST_PGBOUNCER=Host=$address;Port=$pooler_port;Username=opslog;Database=postgres"
echo "OPSLOG_TEST_PGBOUNCER_DIRECT=Host=$address;Port=$port;Username=opslog;Database=postgres"
