#!/usr/bin/env bash
# The stages of ci/gpu.sh where there is no GPU: their commands on the processor with small models, then the program over
# libraries that stand in for NVIDIA's (backends/cuda/tests/fakes), with kernels that run on this processor.
# usage: ci/nightly/gpu-stages.sh
# environment: YARDSTICK, a program built before (target/debug/yardstick is built otherwise)
# exit: 0 all passed, 1 one failed, 3 there is no g++ or this is not x86-64 Linux
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(uname -sm)" = "Linux x86_64" ] && command -v g++ > /dev/null || { echo "skipped: the fakes are built with g++ on x86-64 Linux only"; exit 3; }
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && realpath "${CARGO_TARGET_DIR:-target}")
if [ -z "${YARDSTICK:-}" ]; then
    cargo build --locked -p yardstick --no-default-features --features cpu,cuda
    YARDSTICK=$target/debug/yardstick
fi
export YARDSTICK
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Every command of every stage, whole; the last has nothing to run.
GPU_BACKEND=cpu GPU_MODEL=tiny GPU_SMALL=tiny OUT=$out/cpu ci/gpu.sh conformance decode prefill energy persistent | tee "$out/log"
grep -q "skipped: this build offers no persistent kernel" "$out/log"
for stage in conformance decode prefill energy; do
    grep -qE "^ok +[0-9]+ s +$stage$" "$out/log"
done
for stage in decode prefill energy; do
    grep -q '"status":"ok"' "$out/cpu/$stage.jsonl" || { echo "$stage left no record of a cell that ran"; exit 1; }
done

# The same program, with a driver that is none.
fakes=$out/fakes
mkdir -p "$fakes"
library() { g++ -std=c++17 -O1 -shared -fPIC "${@:3}" -o "$fakes/$1" "backends/cuda/tests/fakes/$2" -ldl; }
library libcuda.so.1 cuda.cpp
library libnvrtc.so.13 nvrtc.cpp "-DFOLDER=\"$PWD/backends/cuda/tests/emulator\"" "-DOUT=\"$fakes\""
library libnvidia-ml.so.1 nvml.cpp
over_fakes() { LD_LIBRARY_PATH=$fakes YARDSTICK_CACHE=$out/cache YARDSTICK_STORE=$out/fake.sqlite YARDSTICK_DATA=$out/data "$YARDSTICK" "$@"; }
over_fakes devices | tee "$out/devices"
grep -qE "^ *cuda:0 +ready" "$out/devices"
over_fakes run --devices cuda --model tiny:Q4_0 --test tg2,pp16 --repetitions 1 --launches 1 --html "$out/fake.html"
over_fakes export --output "$out/fake.jsonl"
for word in '"cuda:0"' '"status":"ok"' nvml_0_power_limit_watts nvml_0_throttled_by_power_percent "other processes" "memory taken by loading"; do
    grep -q -- "$word" "$out/fake.jsonl" || { echo "the records do not have $word"; exit 1; }
done
