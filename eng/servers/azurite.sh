# Azurite, Microsoft's emulator of Azure Blob Storage, with its published development account; sourced by start.sh.
port=$(free_port)
# The client library speaks a newer version of the API than the emulator knows.
start azurite node "$here/node_modules/azurite/dist/src/blob/main.js" --blobHost 127.0.0.1 --blobPort "$port" --location "$data/blobs" \
  --silent --skipApiVersionCheck --disableTelemetry
await_http "http://127.0.0.1:$port/"
echo "OPSLOG_TEST_AZURE_ENDPOINT=http://127.0.0.1:$port/devstoreaccount1"
