#!/usr/bin/env bash
# The shaders on a hardware adapter: every format and family against the reference, speed beside the adapter's ceilings, each shader alone.
# environment: WGPU_TESTS, the program of backends/wgpu/tests/conformance.rs built before; WGPU_BENCH, that of its benches
set -euo pipefail
stage=wgpu
source "$(dirname "$0")/stage.bash"
device wgpu
# A software adapter answers too, and measures nothing worth keeping.
if grep -A2 -E '^ *wgpu:0 ' "$OUT/$stage-devices.txt" | grep -q software; then
    echo "skipped: wgpu:0 is a software adapter"
    exit 3
fi
for model in tiny:Q4_0,Q4_1,Q5_0,Q5_1,Q8_0,Q4_K_M,Q5_K_M,Q6_K,F16 tiny-gemma3:Q8_0 smollm-135m:Q4_0,Q4_K_M llama-3.2-1b:Q4_0; do
    # A device that computes wrongly is why this stage fails.
    "$YARDSTICK" run --verify-only --devices wgpu:0 --model "$model" --html "$OUT/$stage.html"
done
# Packed 8-bit dot products.
"$YARDSTICK" run --verify-only --devices wgpu:0 --numerics a8 --model tiny:Q4_0,Q5_1,Q8_0,Q4_K_M,Q6_K --html "$OUT/$stage.html"
[ -z "${WGPU_TESTS:-}" ] || "$WGPU_TESTS" --nocapture --test-threads=1
"$YARDSTICK" devices --ceilings --device wgpu:0
measure --devices wgpu:0 --launches 2 --test tg128,pp512 --ceilings --model llama-3.2-1b:F16,Q8_0,Q4_0,Q4_K_M
measure --devices wgpu:0 --launches 2 --test tg128 --ceilings --numerics a8 --model llama-3.2-1b:Q8_0,Q4_0,Q4_K_M
[ -z "${WGPU_BENCH:-}" ] || "$WGPU_BENCH" --bench
