#!/usr/bin/env bash
# The test command: everything a change must pass, on a bare machine without GPU, in under 45 minutes cold on 2 cores.
# usage: ci/check.sh
# exit: 0 all passed (skipped steps say why), 1 a step failed
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/steps.sh

target=${CARGO_TARGET_DIR:-target}
tools=$target/tools
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
# Nothing is built twice here, so what speeds up a second build only costs time.
export CARGO_INCREMENTAL=0

# cargo-deny has no package and no download here; unoptimised it builds in a third of the time and is quick enough.
deny() {
    local deny=$tools/bin/cargo-deny
    if [ ! -x "$deny" ]; then
        CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$tools/build cargo install --quiet --locked --debug --root "$tools" cargo-deny --version "^0.20"
        rm -rf "$tools/build"
    fi
    # Advisories live on github.com, which a bare machine may not reach; the other three need no network.
    "$deny" --locked --config ci/deny.toml check --hide-inclusion-graph licenses bans sources
}

# The page that the renderer's tests wrote.
html() {
    ci/html-check.sh "$target/tmp/report.html"
}

# External workers are tested by Python's standard library alone.
external() {
    command -v python3 > /dev/null || { echo "skipped: no python3"; return 3; }
    python3 -m unittest discover backends/external
}

# Documentation warnings are errors.
doc() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
}

# In this order each step finds most of its dependencies built by the one before.
step "tools" ci/setup.sh needed
# Three real providers for the tests of backends/ort, which say `skipped` where this is.
step "ONNX Runtime" ci/setup.sh runtimes
step "format" cargo fmt --all --check
step "licences, bans, sources" deny
step "lints" cargo clippy --locked --workspace --all-targets -- -D warnings
step "documentation" doc
step "tests and doc tests" cargo test --locked --workspace --no-fail-fast
step "external workers" external
step "steps of the action" ci/gate-test.sh
# 10 trials of the same build and 10 of +5 % beside whatever runs; one wrong verdict is let pass (ci/prove-gate says why).
step "the gate, short proof" ci/prove-gate short
step "cpu only build" cargo build --locked -p yardstick --no-default-features --features cpu
step "hostile files, release" cargo test --locked --release -p yardstick-model --test hostile --test structure
step "html in a browser" html
finish
