#!/usr/bin/env bash
# Perplexity against llama.cpp's, same file and windows, within 0.5 %: of the cpu backend, and of llama.cpp under our own protocol.
# usage: ci/nightly/perplexity.sh [MODEL [TEXT]]   MODEL: a GGUF file with a tokenizer (the bundled model); TEXT (the built-in one)
# environment: YARDSTICK_PYTHON, a Python that has llama-cpp-python (python3); YARDSTICK, a program built before; WINDOWS (8)
# exit: 0 they agree, 1 they do not, 3 skipped
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${YARDSTICK_PYTHON:-python3}
bundled=(suites/models/bundled/*.gguf)
model=${1:-${bundled[0]}}
text=${2:-suites/text/rust-docs.txt}
if ! "$python" -c 'import llama_cpp, numpy' 2>/dev/null; then
    echo "skipped: $python lacks llama-cpp-python; YARDSTICK_PYTHON names another"
    exit 3
fi
[ -f "$model" ] || { echo "skipped: $model is no file; name a GGUF file with a tokenizer"; exit 3; }
windows=${WINDOWS:-8}
yardstick=${YARDSTICK:-}
if [ -z "$yardstick" ]; then
    cargo build --locked --release -p yardstick
    yardstick=${CARGO_TARGET_DIR:-target}/release/yardstick
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$yardstick" --store "$folder/records.sqlite" run --devices cpu,llama.cpp --python "$python" --model "$model" --test ppl \
    --text "$text" --windows "$windows" --json >"$folder/records.jsonl"
theirs=$("$python" ci/nightly/perplexity.py "$model" "$text" 512 "$windows")
"$python" - "$folder/records.jsonl" "$theirs" <<'END'
import json, sys
theirs, worst, seen = float(sys.argv[2]), 0, 0
for line in open(sys.argv[1]):
    record = json.loads(line)
    if record["outcome"]["status"] != "ok":
        sys.exit(f"{record['cell']['device']}: {record['outcome']}")
    ours = next(s["value"] for s in record["quality"]["scores"] if s["metric"] == "perplexity")
    off = 100 * abs(ours / theirs - 1)
    print(f"{record['cell']['device']}: {ours:.4f}, llama.cpp alone {theirs:.4f}, {off:.3f} % apart")
    worst, seen = max(worst, off), seen + 1
sys.exit(0 if seen and worst < 0.5 else "more than 0.5 % apart, or nothing measured")
END
