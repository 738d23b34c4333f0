# fauxqs: answers S3 requests, ignores conditions. The storage has to refuse it; sourced by start.sh.
port=$(free_port)
start fauxqs node "$here/fauxqs.mjs" "$port"
await_http "http://127.0.0.1:$port/"
echo "OPSLOG_TEST_FAUXQS_ENDPOINT=http://127.0.0.1:$port"
