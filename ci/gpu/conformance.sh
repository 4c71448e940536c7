#!/usr/bin/env bash
# Every format and family on the GPU against the reference, and the conformance suite where its program was brought along.
# environment: CUDA_TESTS, the program of backends/cuda/tests/conformance.rs built before
set -euo pipefail
stage=conformance
source "$(dirname "$0")/stage.bash"
device "$backend"
formats=Q4_0,Q4_1,Q5_0,Q5_1,Q8_0,Q4_K_M,Q5_K_M,Q6_K,F16
for model in tiny:$formats tiny-qwen2:$formats tiny-gemma3:Q8_0 "$small:Q4_0,Q8_0,Q4_K_M,F16" "$model:Q4_0"; do
    # A device that computes wrongly is why this stage fails.
    "$YARDSTICK" run --verify-only --devices "$backend" --model "$model" --html "$OUT/$stage.html"
done
for kv in f32 q8_0; do
    "$YARDSTICK" run --verify-only --devices "$backend" --model "$small:Q8_0" --kv $kv --html "$OUT/$stage.html"
done
[ -z "${CUDA_TESTS:-}" ] || "$CUDA_TESTS" the_gpus_of_this_machine_conform --exact --nocapture
