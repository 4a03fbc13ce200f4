#!/bin/sh
# bench/http.sh [BUILD] [SECONDS]: requests a second of our server and of nginx, one after the other on
# the same machine, by wrk with 1 thread and 50 connections. nginx serves the same body from memory
# (return) with two workers and no access log.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
seconds=${2:-5}
for tool in wrk nginx; do
    command -v $tool >/dev/null || PATH=$PATH:/usr/sbin command -v $tool >/dev/null || { echo "bench/http: $tool is missing: skipped"; exit 0; }
done
PATH=$PATH:/usr/sbin
dir=$(mktemp -d)
mkfifo "$dir/in"
"$build/bench/serve_http" <"$dir/in" >"$dir/port" &
ours=$!
exec 3>"$dir/in"
trap 'exec 3>&-; [ -f "$dir/nginx.pid" ] && kill "$(cat "$dir/nginx.pid")" 2>/dev/null; wait $ours 2>/dev/null; rm -rf "$dir"' EXIT
while [ ! -s "$dir/port" ]; do sleep 0.05; done
port=$(cat "$dir/port")
head -c 16384 /dev/zero | tr '\0' p >"$dir/page.txt"
nginx_port=$(node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })")
cat >"$dir/nginx.conf" <<CONF
worker_processes 2; pid $dir/nginx.pid; error_log $dir/error.log; daemon on;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path $dir; proxy_temp_path $dir; fastcgi_temp_path $dir; uwsgi_temp_path $dir; scgi_temp_path $dir;
  keepalive_requests 10000000; default_type application/json; sendfile on; open_file_cache max=10;
  server { listen 127.0.0.1:$nginx_port; root $dir;
    location = /health { return 200 '{"status":"ok"}'; } } }
CONF
nginx -c "$dir/nginx.conf" -e "$dir/error.log" 2>"$dir/nginx.out" || { cat "$dir/nginx.out"; echo "bench/http: nginx did not start"; exit 1; }
run() {
    wrk -t1 -c50 -d"${seconds}s" --latency "$2" >"$dir/out"
    rate=$(sed -n 's/^Requests\/sec: *//p' "$dir/out")
    p50=$(awk '$1 == "50%" {print $2}' "$dir/out")
    p99=$(awk '$1 == "99%" {print $2}' "$dir/out")
    bad=$(sed -n 's/.*Non-2xx or 3xx responses: */, not 2xx: /p' "$dir/out")
    printf '%-34s %10s req/s  p50 %-8s p99 %s%s\n' "$1" "$rate" "$p50" "$p99" "$bad"
}
run "ours /health (event thread)" "http://127.0.0.1:$port/health"
run "nginx /health (return)" "http://127.0.0.1:$nginx_port/health"
run "ours /work (through a worker)" "http://127.0.0.1:$port/work"
run "ours asset of 16 KiB" "http://127.0.0.1:$port/page.txt"
run "nginx file of 16 KiB" "http://127.0.0.1:$nginx_port/page.txt"
