#!/usr/bin/env bash
# A small model under NVIDIA's compute-sanitizer, where the machine has it: what the emulator's checks say, said by the hardware.
set -euo pipefail
stage=sanitize
source "$(dirname "$0")/stage.bash"
device "$backend"
command -v compute-sanitizer > /dev/null || { echo "skipped: no compute-sanitizer here"; exit 3; }
status=0
for tool in memcheck racecheck initcheck synccheck; do
    log=$OUT/$stage-$tool.txt
    compute-sanitizer --tool $tool --target-processes all --error-exitcode 9 \
        "$YARDSTICK" run --verify-only --devices "$backend" --model tiny:Q4_0 --html "$OUT/$stage.html" > "$log" 2>&1 || true
    tail -n 3 "$log"
    # Some containers refuse it the device.
    if grep -q "Device not supported" "$log"; then echo "skipped: compute-sanitizer refuses this device"; exit 3; fi
    grep -qE "ERROR SUMMARY: 0 errors|RACECHECK SUMMARY: 0 hazards" "$log" || status=1
done
exit $status
