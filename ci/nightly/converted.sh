#!/usr/bin/env bash
# Converted checkpoints against the logits and token ids of transformers, for every family; adapters against peft.
# environment: YARDSTICK_HF_PYTHON, a Python with torch, transformers, tokenizers, sentencepiece and peft (python3)
# exit: 0 all agree, 3 skipped, else a failure
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${YARDSTICK_HF_PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, tokenizers, sentencepiece, peft' 2>/dev/null; then
    echo "skipped: $python lacks torch, transformers, tokenizers, sentencepiece or peft; YARDSTICK_HF_PYTHON names another"
    exit 3
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
HF_HUB_OFFLINE=1 "$python" backends/model/tests/hf/make.py "$folder"
YARDSTICK_HF_MODELS=$folder cargo test --locked -p yardstick-reference --test converted -- --nocapture
