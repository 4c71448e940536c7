#!/usr/bin/env bash
# Tokens per second of prompts, beside what the tensor cores give.
set -euo pipefail
stage=prefill
source "$(dirname "$0")/stage.bash"
device "$backend"
measure --devices "$backend" --launches 2 --test pp2048 --chunk 2048 --context 4096 --ceilings --model "$model:F16,Q4_0"
profile pp512 "$model:F16"
measure --devices "$backend" --launches 2 --test pp512 --ceilings --model "$model:F16,Q8_0,Q4_0,Q4_K_M"
measure --devices "$backend" --launches 1 --test pp512 --model "$small:Q8_0"
