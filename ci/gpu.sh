#!/usr/bin/env bash
# What only a machine with a GPU can show, in stages of less than 8 minutes each, unattended and without a network: models are
# written there by the program itself.
# usage: ci/gpu.sh STAGE...    a stage is a file of ci/gpu/; without one, they are listed
# environment: YARDSTICK, a program built before (target/release/yardstick); OUT, where records go (gpu-records);
#   GPU_SECONDS, after which a stage is ended (470)
# exit: 0 passed, 1 a stage failed, 3 a stage was skipped and says why
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/steps.sh

export YARDSTICK=${YARDSTICK:-${CARGO_TARGET_DIR:-target}/release/yardstick}
export OUT=${OUT:-gpu-records}

# A run-time compiler that came with Python's packages; the program looks into the system's own folders itself.
python=$(python3 -c 'import glob, sys; print(*sorted(f for p in sys.path for f in glob.glob(p + "/nvidia/*/lib/libnvrtc.so.1[0-9]")), sep="\n")' 2>/dev/null | tail -n 1 || true)
[ -z "$python" ] || export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$(dirname "$python")

if [ $# -eq 0 ]; then
    for file in ci/gpu/*.sh; do printf '%-14s %s\n' "$(basename "$file" .sh)" "$(sed -n '2s/^# //p' "$file")"; done
    exit 0
fi
[ "${1:-}" != --stage ] || shift
[ -x "$YARDSTICK" ] || { echo "no program $YARDSTICK; build it with cargo build --release, or name it in YARDSTICK"; exit 3; }
mkdir -p "$OUT"
for stage in "$@"; do
    [ -f "ci/gpu/$stage.sh" ] || { echo "no stage $stage: ci/gpu.sh lists them"; exit 1; }
done
for stage in "$@"; do
    # The program ends its workers when it is told to end; after ten more seconds nobody asks.
    step "$stage" timeout --kill-after=10 "${GPU_SECONDS:-470}" bash "ci/gpu/$stage.sh"
done
finish
