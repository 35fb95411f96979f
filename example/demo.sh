#!/bin/sh
# Serve the example model on a free port, ask it once, and stop it again.
set -eu
cd "$(dirname "$0")"
log=$(mktemp)
"../${BIN:-.venv/bin}/torch-serving" . --port 0 >"$log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -f "$log"' EXIT INT TERM

echo "== Starting the server"
url=""
while [ -z "$url" ]; do
    kill -0 $server 2>/dev/null || { cat "$log"; exit 1; }
    sleep 0.1
    url=$(sed -n 's/^torch-serving .* on \(http[^ ]*\) .*/\1/p' "$log")
done
cat "$log"

echo "== curl --data @example/post-data.json \"$url/serve?servable_identifier=model-example.pt\""
curl --silent --show-error --fail-with-body --data @post-data.json \
    "$url/serve?servable_identifier=model-example.pt"
echo
echo "== That worked. 'make serve' keeps the server running on http://127.0.0.1:8888; then, in another shell:"
echo "   curl --data @example/post-data.json \"http://127.0.0.1:8888/serve?servable_identifier=model-example.pt\""
