# What stages share: a store of their own, and its records as JSON lines under $OUT. Sourced after `stage=NAME`; runs nothing.
export YARDSTICK_CACHE=${YARDSTICK_CACHE:-$OUT/../gpu-cache}
export YARDSTICK_STORE=$OUT/$stage.sqlite
export YARDSTICK_DATA=$OUT

# What is measured; smaller models and another backend try the stages themselves where there is no GPU (ci/nightly/gpu-stages.sh).
backend=${GPU_BACKEND:-cuda}
model=${GPU_MODEL:-llama-3.2-1b}
small=${GPU_SMALL:-smollm-135m}

# device BACKEND: whether one of its devices is usable; says why not.
device() {
    "$YARDSTICK" devices > "$OUT/$stage-devices.txt"
    grep -E "^ *$1:[^ ]+ +ready" "$OUT/$stage-devices.txt" && return
    echo "skipped: no usable device of $1"
    grep -A3 -E "^ *$1:" "$OUT/$stage-devices.txt" || true
    exit 3
}

# measure ARGUMENTS...: a run whose cells may fail one by one; they are in the records.
measure() {
    "$YARDSTICK" run --html "$OUT/$stage.html" "$@" || [ $? -eq 1 ]
}

# profile TEST MODEL: where the time goes, by the device's own clock.
profile() {
    "$YARDSTICK" profile --device "$backend" --test "$1" --model "$2" | tee -a "$OUT/$stage-profile.txt"
}

# Keeps what was measured, whatever became of the run.
keep() {
    [ -e "$YARDSTICK_STORE" ] || return 0
    "$YARDSTICK" export --output "$OUT/$stage.jsonl" || true
    "$YARDSTICK" report --all --format markdown --output "$OUT/$stage.md" || true
}
trap keep EXIT
