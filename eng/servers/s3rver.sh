# s3rver: answers S3 requests, ignores conditions. The storage has to refuse it; sourced by start.sh.
port=$(free_port)
start s3rver node "$here/node_modules/s3rver/bin/s3rver.js" --address 127.0.0.1 --port "$port" --directory "$data/objects" --silent --configure-bucket opslog
await_http "http://127.0.0.1:$port/"
echo "OPSLOG_TEST_S3RVER_ENDPOINT=http://127.0.0.1:$port"
