#!/usr/bin/env bash
# Joules per token: windows of at least ten seconds (energy.toml), since the board's counter moves every 100 ms.
set -euo pipefail
stage=energy
source "$(dirname "$0")/stage.bash"
device "$backend"
# Half a minute a row: the one that matters most comes first, in case the stage is ended.
for quantisation in Q4_0 F16 Q8_0; do
    measure --suite ci/gpu/energy.toml --devices "$backend" --model "$model:$quantisation"
done
