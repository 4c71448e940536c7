#!/usr/bin/env bash
# Tokens per second of prompts, beside what the tensor cores give.
set -euo pipefail
stage=prefill
source "$(dirname "$0")/stage.bash"
device cuda
measure --devices cuda --launches 2 --test pp512 --ceilings --model llama-3.2-1b:F16,Q8_0,Q4_0,Q4_K_M
measure --devices cuda --launches 2 --test pp2048 --chunk 512,2048 --context 4096 --ceilings --model llama-3.2-1b:F16,Q4_0
measure --devices cuda --launches 1 --test pp512 --model smollm-135m:Q8_0
