#!/usr/bin/env bash
# The persistent kernel beside the graphs, where the build has one.
set -euo pipefail
stage=persistent
source "$(dirname "$0")/stage.bash"
device "$backend"
if ! grep -qE "^ *$backend:[^ ]+/persistent +ready" "$OUT/$stage-devices.txt"; then
    echo "skipped: this build offers no persistent kernel"
    exit 3
fi
measure --devices "$backend:0,$backend:0/persistent" --paired --launches 3 --test tg128 --model "$model:F16,Q8_0,Q4_0"
