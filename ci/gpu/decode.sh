#!/usr/bin/env bash
# Tokens per second one after the other, at depth 0 and deeper, beside what the memory gives.
set -euo pipefail
stage=decode
source "$(dirname "$0")/stage.bash"
device cuda
"$YARDSTICK" devices --ceilings --device cuda
measure --devices cuda --launches 2 --test tg128,ttft --ceilings --model llama-3.2-1b:F16,Q8_0,Q4_0,Q4_K_M
measure --devices cuda --launches 2 --test tg128@d2048 --context 4096 --model llama-3.2-1b:Q8_0,Q4_0
measure --devices cuda --launches 2 --test tg128 --model smollm-135m:Q8_0,Q4_0 --model qwen2-0.5b:Q4_0
measure --devices cuda --launches 1 --test tg128 --sequences 4,8 --model llama-3.2-1b:Q4_0
