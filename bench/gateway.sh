#!/bin/sh
# bench/gateway.sh [BUILD] [SECONDS]: see bench/gateway.mjs. MILLION=1 adds memory over a million requests.
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
for tool in wrk node; do
    command -v $tool >/dev/null || { echo "bench/gateway: $tool is missing: skipped"; exit 0; }
done
exec node bench/gateway.mjs "$build/yicheng" "$build" "${2:-8}"
