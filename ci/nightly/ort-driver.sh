#!/usr/bin/env bash
# What our driver of ONNX Runtime costs: decoding smollm-135m:Q4_0 on ort:cpu against the very same graph driven by ONNX Runtime's own
# Python API with IoBinding, in turns. Needs an otherwise idle machine.
# usage: ci/nightly/ort-driver.sh [MODEL FILE]
# environment: YARDSTICK_DRIVER_ROUNDS (5), YARDSTICK_DRIVER_QUIET, a command to run each measurement under
# exit: 0 ours takes at most 10 % longer a token (median over rounds), 1 it takes longer, 3 skipped
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target} tokens=64 threads=2
packages=$target/tools/onnxruntime
ci/setup.sh runtimes || exit
# NumPy for the Python of this machine, in a folder of its own; the runtime is the release that our side loads.
numpy=$target/tools/numpy
python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "skipped: the pinned package of ONNX Runtime is for Python 3.11"; exit 3; }
[ -e "$numpy/numpy" ] || python3 -m pip install --quiet --disable-pip-version-check --target "$numpy" "numpy==2.4.6" || { echo "skipped: no numpy"; exit 3; }
cargo build --locked --release -p yardstick-ort --example decode
model=${1:-}
[ -n "$model" ] || { cargo build --locked --release -p yardstick; model=$("$target/release/yardstick" model make smollm-135m:Q4_0 | awk '{print $3}'); }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Nanoseconds a token, one line a repetition.
ours() {
    ${YARDSTICK_DRIVER_QUIET:-} "$target/release/examples/decode" "$model" "$folder/cache" "$packages/onnxruntime" ort:cpu "$tokens" "$threads"
}

theirs() {
    PYTHONPATH=$packages/onnxruntime:$numpy ${YARDSTICK_DRIVER_QUIET:-} python3 backends/ort/tests/iobinding.py "$1" "$tokens" "$threads"
}

median() { sort -g | awk '{ v[NR] = $1 } END { if (!NR) exit 1; print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# Converts.
ours > "$folder/first"
graph=$(echo "$folder"/cache/*/*.onnx)
for round in $(seq "${YARDSTICK_DRIVER_ROUNDS:-5}"); do
    a=$(ours | median) b=$(theirs "$graph" | median)
    awk -v a="$a" -v b="$b" -v n="$round" 'BEGIN { printf "round %d: ours %.3f ms a token, Python %.3f ms, ratio %.3f\n", n, a / 1e6, b / 1e6, a / b }'
    awk -v a="$a" -v b="$b" 'BEGIN { print a / b }' >> "$folder/ratios"
done
ratio=$(median < "$folder/ratios")
echo "ours over Python, median of rounds: $ratio"
awk -v r="$ratio" 'BEGIN { exit r > 1.10 }'
