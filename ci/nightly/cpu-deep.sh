#!/usr/bin/env bash
# The cpu backend deep in a context: what 4096 positions cost beyond the bytes of their keys and values, and llama.cpp beside it.
# usage: ci/nightly/cpu-deep.sh [FOLDER]   an otherwise idle machine for about 15 minutes; FOLDER (target/cpu-deep) gets records and reports
# environment: YARDSTICK_PYTHON, a Python that has llama-cpp-python (python3); YARDSTICK, the program
# exit: 0 within 10 % of the bytes and at least twice as fast as llama.cpp, 1 not, 3 skipped
set -euo pipefail
cd "$(dirname "$0")/../.."
source ci/nightly/peers.sh
folder=${1:-target/cpu-deep}
mkdir -p "$folder"
rm -f "$folder"/*.sqlite*

"$yardstick" --store "$folder/depth.sqlite" run --devices cpu --model llama-3.2-1b:Q4_0 --test tg64@d0,4096 --threads 1,2 --launches 5
"$yardstick" --store "$folder/depth.sqlite" export >"$folder/depth.jsonl"
status=0
python3 - "$folder/depth.jsonl" <<'PYTHON' || status=1
import json, statistics, sys

# Seconds a token, and what its keys and values take at the ceiling beside it, by threads and test.
tokens, bytes_ = {}, {}
for line in open(sys.argv[1]):
    record = json.loads(line)
    if "cell" not in record:
        continue
    options, test = record["cell"]["options"], record["cell"]["test"]
    samples = [sample["nanoseconds"] / sample["tokens"] / 1e9 for sample in record["samples"]]
    key = (options["threads"], test)
    tokens.setdefault(key, []).append(statistics.median(samples))
    facts, ceiling = record["facts"], record["ceiling"]
    position = facts["kv_bytes"] / (facts["context"] * facts["sequences"])
    bytes_.setdefault(key, []).append(position * ceiling["positions_read"] / ceiling["bytes_per_second"])
worst = 0.0
for threads in sorted({threads for threads, _ in tokens}):
    shallow, deep = [(threads, test) for test in ("tg64", "tg64@d4096")]
    lost = statistics.median(tokens[deep]) - statistics.median(tokens[shallow])
    explained = statistics.median(bytes_[deep]) - statistics.median(bytes_[shallow])
    print(f"{threads} threads: 4096 positions cost {1e3 * lost:.2f} ms a token, their bytes at the ceiling {1e3 * explained:.2f} ms: {lost / explained:.2f} times")
    worst = max(worst, lost / explained)
sys.exit(worst > 1.1)
PYTHON
against_peer "$folder/qwen2" --model qwen2-0.5b:Q4_0 --test pp512@d2048,tg64@d2048 --threads 2
judge_peer 2 "$folder/qwen2.json" || status=1
exit $status
