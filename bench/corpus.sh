#!/bin/sh
# bench/corpus.sh BUILD [MEGABYTES [FOLDER]] - a large corpus through clean, filter and deduplicate.
#
# The one command for the 10 GB run of the README, from the root of the sources:
#
#     ninja -C build && ninja -C build bench/eval_privacy && YICHENG_DATASETS=DIR bench/corpus.sh build 10000
#
# Imports the laws, messages, novels, titles and guides of YICHENG_DATASETS, makes so many megabytes
# that are like them (make_corpus; 500 unless told), scans them for personal data (eval_privacy, when
# it was built), imports them and runs two pipelines over them: clean and filter alone, then
# minhash_dedup; to 2,000 megabytes a third of both. A line for each figure: the time, that of the
# processors (other work does not count in it), the speed and the most that was resident. Every ten
# seconds the resident memory and the work folder are told, to standard error.
# Takes four times the megabytes of disk in FOLDER (a new one in /tmp unless told), which is looked
# for first and removed at the end, also after an error or Ctrl-C.
set -eu
build=$1
size=${2:-500}
dir=${3:-$(mktemp -d /tmp/yicheng-corpus-XXXXXX)}
data=${YICHENG_DATASETS:-../shared/data}
made=
[ -d "$dir" ] || made=yes
mkdir -p "$dir"
if [ -n "${3:-}" ] && [ -z "$made" ] && [ -n "$(ls -A "$dir")" ]; then
    echo "$dir is not empty: it would be removed at the end" >&2
    exit 2
fi
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
for need in "$build/yicheng" "$build/bench/make_corpus" "$data/laws" "$data/service-guides/data/policy.json"; do
    [ -e "$need" ] || { echo "$need is missing" >&2; exit 2; }
done
free=$(df -Pm "$dir" | awk 'NR == 2 {print $4}')
if [ "$free" -lt $((size * 4 + 1000)) ]; then
    echo "$dir has $free MB free, $((size * 4 + 1000)) are needed" >&2
    exit 2
fi
yicheng="$build/yicheng --data $dir/data"

clean='{"op":"mojibake"},{"op":"control_chars"},{"op":"unicode"},{"op":"html"},{"op":"traditional"},
 {"op":"full_width"},{"op":"punctuation"},{"op":"page_marks"},{"op":"web_boilerplate"},
 {"op":"repeated_lines"},{"op":"white_space"},{"op":"length","least":15},{"op":"char_ratio","least":0.3},
 {"op":"stop_words","least":0.01},{"op":"line_repetition"},{"op":"link_ratio"}'

# run NAME COMMAND...: with its time and the most memory that was resident.
run() {
    name=$1
    shift
    start=$(date +%s%N)
    "$@" >"$dir/out" 2>&1 &
    pid=$!
    peak=0
    cpu=0
    ticks=0
    while kill -0 $pid 2>/dev/null; do
        now=$(awk '/^VmHWM/ {print $2}' /proc/$pid/status 2>/dev/null || true)
        [ "${now:-0}" -gt $peak ] && peak=$now
        used=$(awk '{print $14 + $15}' /proc/$pid/stat 2>/dev/null || true)
        [ "${used:-0}" -gt $cpu ] && cpu=$used
        ticks=$((ticks + 1))
        [ $((ticks % 50)) -eq 0 ] && echo "  $name: $((ticks / 5)) s, $((peak / 1024)) MB resident at most, $(du -sm "$dir/data" | cut -f1) MB on disk" >&2
        sleep 0.2
    done
    wait $pid || { echo "$name failed" >&2; tail -5 "$dir/out" >&2; exit 1; }
    ms=$((($(date +%s%N) - start) / 1000000))
    cpu=$((cpu * 1000 / $(getconf CLK_TCK) + 1))
    echo "$name: $bytes bytes in $ms ms, $((bytes / 1000 / (ms + 1))) MB/s; $cpu ms of processors, $((bytes / 1000 / cpu)) MB/s each; $((peak / 1024)) MB resident at most"
}

bytes=0
for set in laws prose citizen-messages; do
    $yicheng data import $set "$data/$set" --kind text >/dev/null 2>&1
done
$yicheng data import tnews "$data/tnews/unlabeled.json" --kind text --map '{"text":"sentence"}' >/dev/null
$yicheng data import service-guides-rows "$data/service-guides/data/policy.json" >/dev/null
$yicheng data run docs/pipelines/service-guides.yaml >/dev/null
for set in laws service-guides citizen-messages prose tnews; do $yicheng data export $set; done >"$dir/small.jsonl"
"$build/bench/make_corpus" "$dir/small.jsonl" $((size * 1000000)) >"$dir/big.jsonl"
bytes=$(stat -c %s "$dir/big.jsonl")
if [ -x "$build/bench/eval_privacy" ]; then
    "$build/bench/eval_privacy" speed "$dir/big.jsonl" | sed 's/^/personal data: /'
else
    echo "personal data: not measured, ninja -C $build bench/eval_privacy makes what is needed"
fi
run import $yicheng data import big "$dir/big.jsonl" --kind text
rm "$dir/big.jsonl"
echo "{\"input\":{\"dataset\":\"big\"},\"output\":{\"dataset\":\"clean\"},\"steps\":[$clean]}" >"$dir/clean.json"
run "clean and filter, 16 steps" $yicheng data run "$dir/clean.json"
tail -16 "$dir/out" >&2
echo "{\"input\":{\"dataset\":\"big\"},\"output\":{\"dataset\":\"once\"},\"steps\":[{\"op\":\"minhash_dedup\"}]}" >"$dir/once.json"
run "minhash_dedup" $yicheng data run "$dir/once.json"
tail -1 "$dir/out" >&2
echo "{\"input\":{\"dataset\":\"big\"},\"output\":{\"dataset\":\"all\"},\"steps\":[$clean,{\"op\":\"exact_dedup\"},{\"op\":\"minhash_dedup\"}]}" >"$dir/all.json"
[ "$size" -gt 2000 ] || run "all, 18 steps" $yicheng data run "$dir/all.json"
