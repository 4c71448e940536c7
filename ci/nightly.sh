#!/usr/bin/env bash
# The slower proofs: hours, not minutes. Each is a step of its own, and a step whose tools are missing is skipped.
# usage: ci/nightly.sh [STEP...]  steps: kill fuzz processors scripts (default: all)
# environment: YARDSTICK_KILL_ROUNDS (1000), FUZZ_SECONDS per target (600)
# exit: 0 all passed or skipped, 1 a step failed
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/steps.sh

target=${CARGO_TARGET_DIR:-target}
tools=$target/tools
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

# No acknowledged record is lost, whenever the writer is killed.
kill_writers() {
    YARDSTICK_KILL_ROUNDS=${YARDSTICK_KILL_ROUNDS:-1000} \
        cargo test --locked --release -p yardstick-store no_acknowledged -- --nocapture
}

# fuzz FOLDER TARGET: no panic, hang or large allocation.
fuzz() {
    # Freed memory that the sanitiser keeps back (256 MiB unless told) would count against the limit.
    export ASAN_OPTIONS=quarantine_size_mb=16
    (cd "$1/.." && PATH=$tools/bin:$PATH cargo +nightly fuzz run "$2" -- -max_total_time="${FUZZ_SECONDS:-600}" \
        -rss_limit_mb=256 -malloc_limit_mb=64 -timeout=2 -print_final_stats=1)
}

fuzz_all() {
    local folder file
    cargo +nightly --version >/dev/null 2>&1 || { skip fuzz "there is no nightly toolchain"; return; }
    tools=$(mkdir -p "$tools" && realpath "$tools")
    [ -x "$tools/bin/cargo-fuzz" ] || step "cargo-fuzz" cargo install --quiet --locked --root "$tools" cargo-fuzz
    for folder in backends/model/fuzz harness/measure/fuzz; do
        for file in "$folder"/fuzz_targets/*.rs; do
            [ -e "$file" ] || continue
            step "fuzz $folder $(basename "$file" .rs)" fuzz "$folder" "$(basename "$file" .rs)"
        done
    done
}

# The cpu backend's unit tests on an aarch64 processor with dot and matrix products.
aarch64() {
    local triple=aarch64-unknown-linux-musl
    command -v qemu-aarch64-static >/dev/null || { skip aarch64 "there is no qemu-aarch64-static; ci/setup.sh optional"; return; }
    rustc --print target-libdir --target $triple 2>/dev/null | xargs -r test -d \
        || { skip aarch64 "there is no target $triple; ci/setup.sh optional"; return; }
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER="qemu-aarch64-static -cpu max"
    # Attention and quantising are plain Rust there too; what differs are the products.
    step "kernels, aarch64" cargo test --locked --release -p yardstick-cpu --lib --target $triple kernels::
}

# The same conformance test, the very same file, on lesser processors: instruction sets are found at run time.
processors() {
    local binary cpu
    aarch64
    # Intel's tiles, caught where this processor has none.
    step "conformance, cpu:amx by instructions" cargo test --locked --release -p yardstick-cpu --lib conforms_by_instructions -- --ignored
    command -v qemu-x86_64-static >/dev/null || { skip processors "there is no qemu-x86_64-static; ci/setup.sh optional"; return; }
    [ "$(uname -m)" = x86_64 ] || { skip processors "this is no x86-64 machine"; return; }
    step "conformance, build" cargo test --locked --release -p yardstick-cpu --test conformance --no-run
    binary=$(cargo test --locked --release -p yardstick-cpu --test conformance --no-run --message-format=json 2>/dev/null \
        | grep -o '"executable":"[^"]*conformance[^"]*"' | cut -d'"' -f4 | tail -n 1)
    step "conformance, this processor" "$binary"
    for cpu in Nehalem Haswell; do
        step "conformance, $cpu" qemu-x86_64-static -cpu "$cpu" "$binary" --nocapture
    done
}

# Proofs that have a script of their own: ci/nightly/*.sh.
scripts() {
    local script
    for script in ci/nightly/*.sh; do
        [ ! -x "$script" ] || step "$(basename "$script" .sh)" "$script"
    done
}

# skip NAME REASON
skip() {
    step "$1" bash -c 'echo "skipped: $0"; exit 3' "$2"
}

for name in "${@:-all}"; do
    known=0
    for proof in kill fuzz processors scripts; do
        [ "$name" = all ] || [ "$name" = "$proof" ] || continue
        known=1
        case $proof in
            kill) step "kill -9" kill_writers ;;
            fuzz) fuzz_all ;;
            processors) processors ;;
            scripts) scripts ;;
        esac
    done
    [ $known = 1 ] || { sed -n '2,5p' "$0"; exit 2; }
done
finish
