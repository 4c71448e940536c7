#!/usr/bin/env bash
# One build against itself, many times: how often a 95 % interval says that they differ.
# usage: ci/nightly/aa.sh [COMPARISONS]   default 100; LOAD="command" runs beside it, as a compiler does
# exit: 0 at most 10 of 100 exclude "no difference" (5 are expected; the binomial bound), 1 more, 2 a run failed
set -euo pipefail
cd "$(dirname "$0")/../.."

comparisons=${1:-100}
target=${CARGO_TARGET_DIR:-target}
yardstick=${YARDSTICK:-$target/release/yardstick}
[ -x "$yardstick" ] || cargo build --locked --release -p yardstick
work=$(mktemp -d)
trap 'rm -rf "$work"; [ -z "${beside:-}" ] || kill -- -"$beside" 2>/dev/null || true' EXIT
export YARDSTICK_DATA=$work/data
cat >"$work/aa.toml" <<'SUITE'
name = "aa"
analysis = "One build against itself: any difference is an error of the statistics."
tests = ["tg16"]
models = ["rustdoc-6m:Q4_0"]
devices = ["cpu"]
launches = 5
paired = true
[sampling]
min_repetitions = 6
max_repetitions = 12
max_seconds = 0.3
warm_up_seconds = 0.2
SUITE
if [ -n "${LOAD:-}" ]; then
    setsid bash -c "while :; do $LOAD; done" >/dev/null 2>&1 &
    beside=$!
fi
excluded=0
for n in $(seq "$comparisons"); do
    "$yardstick" run --suite "$work/aa.toml" --build a="$yardstick" --build b="$yardstick" --seed "$n" --html "$work/page.html" \
        >"$work/out" 2>&1 || { cat "$work/out"; exit 2; }
    found=$("$yardstick" report -f json | python3 -c '
import json, sys
for row in json.load(sys.stdin)["rows"]:
    ratio = row.get("ratio")
    if ratio and ratio.get("interval"):
        low, high = ratio["interval"]["low"], ratio["interval"]["high"]
        print(f"{ratio['"'"'median'"'"']:.4f} [{low:.4f}, {high:.4f}] {int(low > 1 or high < 1)}")
')
    [ -n "$found" ] || { echo "no interval in comparison $n"; exit 2; }
    echo "$n: $found"
    excluded=$((excluded + ${found##* }))
done
echo "$excluded of $comparisons intervals exclude no difference${LOAD:+, beside: $LOAD}"
[ $((excluded * 10)) -le "$comparisons" ]
