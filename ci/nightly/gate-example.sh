#!/usr/bin/env bash
# The gate on a foreign criterion crate, by its gate.toml alone: ci/examples/gated-crate as a repository of its own, once with other
# words, once with other code that costs the same, once with code that is slower.
# exit: 0 other words passed at once, the same cost was not failed, and what is slower failed by its name and nothing else; 1 otherwise,
#       3 there is no git
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
# gate CODES PATTERN: the exit code must be one of these, and a line of the report be like this
gate() {
    local code=0 begun=$SECONDS
    "$target/debug/yardstick" --cache-dir "$target/gate-example" gate --config gate.toml --base base --candidate HEAD --budget 3 > report || code=$?
    cat report
    echo "exit code $code after $((SECONDS - begun)) s"
    [[ " $1 " == *" $code "* ]] || { echo "expected exit code $1" >&2; exit 1; }
    grep -q "$2" report || { echo "expected a line like: $2" >&2; exit 1; }
}
echo report > .git/info/exclude
commit "the example"
git tag base
echo 'Words.' > README.md
commit "other words"
gate "0" "^note: nothing in the compiled code changed"
# A sum that begins elsewhere: other bytes, the same cost.
sed -i 's|fold(0,|fold(1,|' src/lib.rs
grep -q 'fold(1,' src/lib.rs
commit "the same cost"
gate "0 3" "^[a-z]* .*squares .* launches"
# One of two benches does its work twice: criterion measures wall time, by which less is seen on a busy machine.
sed -i 's|values.iter().fold(1,|values.iter().chain(values).fold(0,|' src/lib.rs
grep -q 'chain' src/lib.rs
commit "slower squares"
gate "1" "^slower .*squares"
if grep -q "^slower .*words" report; then
    echo "words did not change" >&2
    exit 1
fi
