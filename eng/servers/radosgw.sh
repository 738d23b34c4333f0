# Ceph RADOS Gateway: the S3-compatible server that enforces conditional writes. One monitor, one object store, one gateway; sourced by start.sh, as root.
# The object store is in memory, or with OPSLOG_RADOSGW_STORE=bluestore on disk, where it outlives crash-radosgw.sh.
monitor_port=$(free_port); gateway_port=$(free_port); first_port=$(free_port)
fsid=$(uuidgen); osd=$(uuidgen)
mkdir -p "$data"/{mon,osd,run,log}
cat > "$data/ceph.conf" << C
[global]
fsid = $fsid
mon_host = [v2:127.0.0.1:$monitor_port/0]
mon_initial_members = a
auth_allow_insecure_global_id_reclaim = false
public_network = 127.0.0.0/8
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_msgr1 = false
ms_bind_port_min = $first_port
ms_bind_port_max = $((first_port + 500))
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data = $data/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
osd_data = $data/osd
osd_objectstore = ${OPSLOG_RADOSGW_STORE:-memstore}
bluestore_block_size = 4294967296
memstore_device_bytes = 2147483648
run_dir = $data/run
admin_socket = $data/run/\$name.asok
pid_file = $data/run/\$name.pid
log_file = $data/log/\$name.log
mon_cluster_log_file = $data/log/cluster.log
crash_dir = $data/log
keyring = $data/keyring
# tcp_nodelay: without it every listing, error and missing key takes 48 ms more.
rgw_frontends = beast endpoint=$address:$gateway_port tcp_nodelay=1
rgw_thread_pool_size = 64
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_run_sync_thread = false
rgw_enable_quota_threads = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
C
export CEPH_CONF=$data/ceph.conf
{
  ceph-authtool -C "$data/keyring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$data/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$data/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor_port]" "$data/monmap"
  ceph-mon --mkfs -i a --monmap "$data/monmap" --keyring "$data/keyring"
} > "$data/setup.out" 2>&1
start mon ceph-mon -f -i a
timeout 30 ceph osd new "$osd" >> "$data/setup.out" 2>&1
ceph-osd -i 0 --mkfs --osd-uuid "$osd" >> "$data/setup.out" 2>&1
start osd ceph-osd -f -i 0
for _ in $(seq 100); do timeout 5 ceph osd stat 2> /dev/null | grep -q '1 up' && break; sleep .1; done
timeout 60 radosgw-admin user create --uid=test --display-name=test --access-key=testkey --secret=testsecret >> "$data/setup.out" 2>&1
start gateway radosgw -f -n client.admin
await_http "http://$address:$gateway_port/"
echo "OPSLOG_TEST_S3_ENDPOINT=http://$address:$gateway_port"
echo "OPSLOG_TEST_S3_ACCESS_KEY=testkey"
echo "OPSLOG_TEST_S3_SECRET_KEY=testsecret"
echo "OPSLOG_TEST_S3_SERVER=$data"
