#!/usr/bin/env bash
# Joules per token: windows of at least ten seconds, since the board's counter moves every 100 ms.
set -euo pipefail
stage=energy
source "$(dirname "$0")/stage.bash"
device cuda
# One chain of thousands of tokens takes seconds on a fast GPU; ten of them fill the window.
measure --devices cuda --launches 1 --repetitions 12 --test tg2048 --context 4096 --model llama-3.2-1b:Q4_0,Q8_0,F16
measure --devices cuda --launches 1 --repetitions 300 --test pp2048 --context 4096 --chunk 2048 --model llama-3.2-1b:F16
