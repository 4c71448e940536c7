#!/usr/bin/env bash
# Tokens per second one after the other, at depth 0 and deeper, beside what the memory gives.
set -euo pipefail
stage=decode
source "$(dirname "$0")/stage.bash"
device "$backend"
"$YARDSTICK" devices --ceilings --device "$backend" | tee "$OUT/$stage-ceilings.txt"
# What the issue of the day is held against comes first, in case the stage is ended.
measure --devices "$backend" --launches 2 --test tg128,ttft --ceilings --model "$model:F16,Q8_0,Q4_0,Q4_K_M"
profile tg64 "$model:Q4_0"
measure --devices "$backend" --launches 2 --test tg128@d2048 --context 4096 --model "$model:Q8_0,Q4_0"
measure --devices "$backend" --launches 2 --test tg128 --model "$small:Q8_0,Q4_0"
measure --devices "$backend" --launches 1 --test tg128 --sequences 4,8 --model "$model:Q4_0"
