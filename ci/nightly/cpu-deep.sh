#!/usr/bin/env bash
# The cpu backend deep in a context: what 4096 positions cost beyond the bytes of their keys and values, and llama.cpp beside it.
# usage: ci/nightly/cpu-deep.sh [FOLDER]   an otherwise idle machine for about 20 minutes; FOLDER (target/cpu-deep) gets records and reports
# environment: YARDSTICK_PYTHON, a Python that has llama-cpp-python (python3); YARDSTICK, the program
# exit: 0 within 10 % of the bytes and at least twice as fast as llama.cpp, 1 not, 3 skipped
set -euo pipefail
cd "$(dirname "$0")/../.."
source ci/nightly/peers.sh
folder=${1:-target/cpu-deep}
mkdir -p "$folder"
rm -f "$folder"/*.sqlite*

status=0
for threads in 1 2; do
    # Both depths by turns in one process, the read rate before each round: memory that changes its rate changes it for both.
    # Turns of 16 tokens, a third of a second, since it changes within those of 64; a token costs the same in either.
    "$yardstick" profile --model llama-3.2-1b:Q4_0 --device cpu --test tg16@d4096 --threads "$threads" --against test=tg16 --rounds 40 --format json >"$folder/depth-$threads.json"
    python3 - "$folder/depth-$threads.json" "$threads" <<'PYTHON' || status=1
import json, statistics, sys

cells = {cell["cell"]["test"]: cell for cell in json.load(open(sys.argv[1]))["cells"]}
deep, shallow = [cells[test]["cell"] for test in ("tg16@d4096", "tg16")]
token = lambda cell: [round["headline_ns"] / cell["passes"] / 1e6 for round in cell["rounds"]]
losses = sorted(deep - shallow for deep, shallow in zip(token(deep), token(shallow)))
lost = statistics.median(losses)
# An interval of the median by ranks, about 95 %: rounds of a restless memory lie far apart.
reach = max(0, int((len(losses) - 1.96 * len(losses) ** 0.5) / 2))
low, high = losses[reach], losses[-1 - reach]
# The ceiling is measured like a result: what reading kept up over all rounds of both cells; its best 4 ms beside it.
roofs = [cell["roofs"]["read"] for cell in (deep, shallow)]
best = max(roof["per_second"] for roof in roofs)
sustained = [roof["sustained"] for roof in roofs]
read = sum(one["per_second"] * one["seconds"] for one in sustained) / sum(one["seconds"] for one in sustained)
bytes = deep["counted"]["kv_bytes"] - shallow["counted"]["kv_bytes"]
explained = bytes / read * 1e3
# What no order of the work can save: the products of the attention at the measured peak of their arithmetic.
arithmetic = [row for row in cells["tg16@d4096"]["operations"] if row["operation"]["name"] == "attention"][0]["operation"]
products = arithmetic["operations"] / deep["roofs"]["attention"]["per_second"] * 1e3
print(f"{sys.argv[2]} threads: 4096 positions cost {lost:.2f} ms a token ({len(deep['rounds'])} rounds), their bytes at the {read / 1e9:.1f} GB/s that reading sustains {explained:.2f} ms: {lost / explained:.2f} times [{low / explained:.2f}, {high / explained:.2f}] (wanted 1.1); at its best 4 ms, {best / 1e9:.1f} GB/s, {lost / (bytes / best * 1e3):.2f} times")
print(f"    the attention itself {arithmetic['ns'] / 1e6:.2f} ms, its products at the peak of {deep['roofs']['attention']['label']} {products:.2f} ms")
sys.exit(lost / explained > 1.1)
PYTHON
done
against_peer "$folder/qwen2" --model qwen2-0.5b:Q4_0 --test pp512@d2048,tg64@d2048 --threads 2
judge_peer 2 "$folder/qwen2.json" || status=1
exit $status
