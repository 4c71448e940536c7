#!/usr/bin/env bash
# The gate on a foreign criterion crate: ci/examples/gated-crate as a repository of its own, the same code, and code that is slower.
# exit: 0 the same passed or was inconclusive and the slower failed, 1 otherwise, 3 there is no git
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v git > /dev/null || { echo "skipped: no git"; exit 3; }
target=$(realpath "${CARGO_TARGET_DIR:-target}")
cargo build --locked -p yardstick --no-default-features --features cpu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cp -r ci/examples/gated-crate/. "$place"
cd "$place"
git init --quiet
commit() {
    git add --all
    git -c user.name=example -c user.email=example@localhost commit --quiet -m "$1"
}
# gate CANDIDATE CODE...: the exit code must be one of these
gate() {
    local candidate=$1 code=0
    shift
    "$target/debug/yardstick" --cache-dir "$target/gate-example" gate --config gate.toml --base base --candidate "$candidate" --budget 3 || code=$?
    for allowed in "$@"; do
        [ "$code" -eq "$allowed" ] && return
    done
    echo "gate on $candidate: exit code $code, expected $*" >&2
    exit 1
}
commit "the example"
git tag base
echo '// A comment.' >> src/lib.rs
commit "the same code"
gate HEAD 0 3
# A third more work in one of two benches.
sed -i 's|    values.iter().fold(0,|    values.iter().chain(\&values[..values.len() / 3]).fold(0,|' src/lib.rs
commit "slower squares"
gate HEAD 1
