#!/usr/bin/env bash
# The shaders on whatever adapter there is (Mesa's software one at least): both classes of numerics on every conformance case,
# the mutants on the golden models, and whole models: verification, prefill in chunks, depth.
# usage: ci/nightly/wgpu.sh [MODEL...]   a model is preset:format[,format]; default: the list below
# exit: 0 all passed, 1 not, 3 there is no adapter
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# -gt 0 ] || set -- smollm-135m:Q4_0,Q8_0,Q4_K_M qwen2-0.5b:Q4_0,Q8_0,Q4_K_M llama-3.2-1b:Q4_0,Q8_0,Q4_K_M
target=${CARGO_TARGET_DIR:-target}
cargo build --locked --release -p yardstick
yardstick=$target/release/yardstick
"$yardstick" devices | grep -E '^ *wgpu:0 +ready' || { echo "skipped: no adapter for wgpu"; exit 3; }

YARDSTICK_ALL_CLASSES=1 cargo test --locked --release -p yardstick-wgpu --test conformance
cargo test --locked --release -p yardstick-wgpu --features mutants --test verification -- --nocapture

for model in "$@"; do
    # Prefill, steps, batches, copies and generation with the default options, against the reference.
    "$yardstick" run --verify-only --devices wgpu:0 --model "$model"
    name=${model%%:*}
    for format in $(tr , ' ' <<< "${model#*:}"); do
        # preset, hash, path
        file=$("$yardstick" model make "$name:$format" | awk '{ print $3 }')
        YARDSTICK_MODELS=$file cargo test --locked --release -p yardstick-wgpu --test models -- --ignored --nocapture
    done
done
