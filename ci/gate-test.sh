#!/usr/bin/env bash
# Runs every `run:` of ci/action.yml in its order, as GitHub would: with its variables, in a repository of two commits, with a stand-in for
# yardstick that passes, fails, decides nothing or cannot compare. Takes seconds and no network.
# usage: ci/gate-test.sh
# exit: 0 all as expected, 1 not
set -euo pipefail
cd "$(dirname "$0")"
ci=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

expect() {
    local what=$1 found=$2 expected=$3
    if [[ $found != $expected ]]; then
        printf 'FAILED %s: found %q, expected %q\n' "$what" "$found" "$expected"
        failures=$((failures + 1))
    fi
}

# A yardstick that writes what the gate writes and ends as told.
cat > "$work/yardstick" << 'STUB'
#!/usr/bin/env bash
printf '%s\n' "$*" >> "$STUB_LOG"
[ "$STUB_EXIT" -eq 2 ] && { echo 'error: candidate does not build: ```E0308```' >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in --output) out=$2; shift 2 ;; *) shift ;; esac
done
mkdir -p "$out"
printf '### Gate: stand-in\n\n| test | outcome |\n| --- | --- |\n| a | b |\n' > "$out/gate.md"
echo '{}' > "$out/gate.json"
exit "$STUB_EXIT"
STUB
chmod +x "$work/yardstick"

git init -q -b main "$work/repository"
cd "$work/repository"
git config user.name test
git config user.email test@example.org
git commit -q --allow-empty -m base
base=$(git rev-parse HEAD)
git checkout -q -b change
git commit -q --allow-empty -m change

# The lines that GitHub would hand to the shell.
mapfile -t runs < <(sed -n "s/^ *run: '\(.*\)'$/\1/p" "$ci/action.yml")
expect "run steps of action.yml" "${#runs[@]}" "$(grep -c '^ *run:' "$ci/action.yml")"

# One job: the steps in order, each with the outputs of those before. Prints the last exit code.
job() {
    local stub=$1 inconclusive=$2 status=0 run name
    shift 2
    export GITHUB_ACTION_PATH=$ci GITHUB_STEP_SUMMARY=$work/summary GITHUB_OUTPUT=$work/output STUB_EXIT=$stub STUB_LOG=$work/asked
    export OUT=$work/out INCONCLUSIVE=$inconclusive YARDSTICK=$work/yardstick CANDIDATE=. BUDGET=7 GATE_ARGUMENTS=${ARGUMENTS:-}
    rm -rf "$OUT"
    : > "$GITHUB_STEP_SUMMARY"; : > "$GITHUB_OUTPUT"; : > "$STUB_LOG"
    BASE=${ASKED:-}
    export BASE
    for run in "${runs[@]}"; do
        # Outputs become the variables that action.yml's `env:` makes of them.
        while IFS='=' read -r name value; do
            case $name in base) BASE=$value ;; yardstick) YARDSTICK=$value ;; verdict) export VERDICT=$value ;; esac
        done < "$GITHUB_OUTPUT"
        bash -eo pipefail -c "$run" > "$work/log" 2>&1 || { status=$?; break; }
    done
    printf '%s' "$status"
}

for case in "0 pass 0 pass" "1 pass 1 fail" "3 pass 0 inconclusive" "3 fail 3 inconclusive" "2 pass 2 error" "134 pass 2 error"; do
    read -r stub inconclusive code verdict <<< "$case"
    expect "exit of $case" "$(job "$stub" "$inconclusive")" "$code"
    expect "verdict of $case" "$(sed -n 's/^verdict=//p' "$work/output")" "$verdict"
    expect "comment of $case" "$(cat "$work/out/comment.md")" "$(cat "$work/summary")"
    expect "mark of $case" "$(head -n 1 "$work/summary")" "<!-- yardstick-gate -->"
done
job 3 pass > /dev/null
expect "warning" "$(cat "$work/log")" "::warning title=Gate::inconclusive*"
job 2 pass > /dev/null
expect "why nothing was compared" "$(cat "$work/summary")" "*candidate does not build: '''E0308'''*"

ARGUMENTS="--only q4_k --all" job 0 pass > /dev/null
expect "what was asked" "$(cat "$work/asked")" "gate --base $base --candidate . --budget 7 --output $work/out --only q4_k --all"
ASKED=HEAD job 0 pass > /dev/null
expect "base as asked" "$(cat "$work/asked")" "gate --base $(git rev-parse HEAD) *"
expect "exit without such a base" "$(ASKED=nowhere job 0 pass)" 2
expect "words without such a base" "$(cat "$work/log")" "::error title=Gate::base nowhere is no revision here"
expect "exit without a common commit" "$(GITHUB_BASE_REF=elsewhere job 0 pass)" 2
expect "words without a common commit" "$(cat "$work/log")" "*fetch-depth: 0*"
expect "exit without git" "$(cd "$work" && job 0 pass)" 2

# At home: all parts at once, without a service's variables.
for code in 0 1 3; do
    status=0
    env -u GITHUB_OUTPUT -u GITHUB_STEP_SUMMARY -u BASE -u VERDICT STUB_EXIT=$code STUB_LOG="$work/asked" OUT="$work/home" \
        YARDSTICK="$work/yardstick" INCONCLUSIVE=fail "$ci/gate.sh" > "$work/log" 2>&1 || status=$?
    expect "exit at home of $code" "$status" "$code"
done

[ "$failures" -eq 0 ] && printf 'every step of action.yml ran, every verdict came out\n'
[ "$failures" -eq 0 ]
