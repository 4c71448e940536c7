#!/usr/bin/env bash
# The cpu backend and llama.cpp on a machine that has other work: beside a compiler, and beside a session with as many threads as cores.
# usage: ci/nightly/cpu-loaded.sh [FOLDER]   three quarters of an hour, since llama.cpp takes so long; FOLDER (target/cpu-loaded) gets the records and a report
# environment: YARDSTICK_PYTHON, a Python that has llama-cpp-python (python3); YARDSTICK, the program
# exit: 0 no cell's median is slower than llama.cpp's, 1 one is, 3 skipped
set -euo pipefail
cd "$(dirname "$0")/../.."
source ci/nightly/peers.sh
folder=${1:-target/cpu-loaded}
mkdir -p "$folder"
folder=$(realpath "$folder")
rm -rf "$folder"/*.sqlite* "$folder/load"

# A compiler that never stops: one crate and what it needs, from nothing.
compile='rm -rf "$1/debug"; cargo build --quiet --locked --package yardstick-model --target-dir "$1"'
setsid bash -c "while :; do $compile; done" beside "$folder/load" >/dev/null 2>&1 &
beside=$!
trap 'kill -- -$beside 2>/dev/null || true; rm -rf "$folder/load"' EXIT
against_peer "$folder/compiler" --model qwen2-0.5b:Q4_0 --model smollm-135m:Q4_K_M --test pp128,tg32 --threads 2
kill -- -$beside
wait $beside 2>/dev/null || true

# Twice as many threads as cores: another session that decodes without a pause. One session never has more threads than cores.
setsid "$yardstick" --store "$folder/beside.sqlite" soak --devices cpu --model smollm-135m:Q4_0 --threads 2 --minutes 120 --rest 0 >/dev/null 2>&1 &
beside=$!
against_peer "$folder/crowded" --model qwen2-0.5b:Q4_0 --model smollm-135m:Q4_K_M --test pp128,tg32 --threads 2
judge_peer 1 "$folder"/*.json
