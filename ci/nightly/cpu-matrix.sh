#!/usr/bin/env bash
# The cpu backend against llama.cpp: 3 models x 4 formats x 1 and 2 threads, pp512 and tg64, paired, 5 launches.
# usage: ci/nightly/cpu-matrix.sh [FOLDER]   needs an otherwise idle machine for about 50 minutes; FOLDER (target/cpu-matrix)
#        gets the report as Markdown, the records, one a line, and what of the backend's promises holds (promises.md)
# environment: YARDSTICK_PYTHON, a Python that has llama-cpp-python (python3); MATRIX_FLAGS, more flags of `run`; YARDSTICK, the program
# exit: 0 measured and reported, 1 a cell failed, 3 skipped
set -euo pipefail
cd "$(dirname "$0")/../.."
source ci/nightly/peers.sh
folder=${1:-target/cpu-matrix}
mkdir -p "$folder"
# Made before anything is timed, and packed once: no launch pays for either.
for model in smollm-135m qwen2-0.5b llama-3.2-1b; do
    for format in Q4_0 Q8_0 Q4_K_M F16; do "$yardstick" model make "$model:$format"; done
done
store=$folder/records.sqlite
# shellcheck disable=SC2086 # flags are words
"$yardstick" --store "$store" run --suite ci/nightly/cpu-matrix.toml --python "$python" ${MATRIX_FLAGS:-} | tee "$folder/run.txt"
"$yardstick" --store "$store" report --baseline llama.cpp --format markdown --output "$folder/report.md"
"$yardstick" --store "$store" report --baseline llama.cpp --format json --output "$folder/report.json"
"$yardstick" --store "$store" export >"$folder/records.jsonl"
python3 ci/nightly/cpu-matrix.py "$folder/report.json" | tee "$folder/promises.md"
echo "reports and records are in $folder"
