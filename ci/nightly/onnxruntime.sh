#!/usr/bin/env bash
# Conformance of ONNX Runtime's providers on models of real size: every quantisation verified against the reference, nothing measured.
# usage: ci/nightly/onnxruntime.sh [PRESET...]  default: smollm-135m qwen2-0.5b llama-3.2-1b
# environment: YARDSTICK_BINARY, a program that was built already
# exit: 0 all verified, 1 one is not, 3 skipped
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
ci/setup.sh runtimes || exit
yardstick=${YARDSTICK_BINARY:-}
[ -n "$yardstick" ] || { cargo build --locked --release -p yardstick; yardstick=$target/release/yardstick; }
[ $# -gt 0 ] || set -- smollm-135m qwen2-0.5b llama-3.2-1b
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
status=0
for preset in "$@"; do
    for device in ort:cpu ort:openvino-cpu; do
        # Converted models are large: one preset and device at a time. A device that is skipped is no error of the run's.
        verdict=$("$yardstick" run --verify-only --devices "$device" --model "$preset:Q4_0,Q8_0,Q4_K_M" --test tg1 --launches 1 \
            --runtime "$target/tools/onnxruntime" --data-dir "$folder/data") || status=1
        echo "$preset on $device: $verdict"
        [ "$verdict" = "3 launches verified" ] || status=1
    done
done
exit $status
