#!/usr/bin/env bash
# The gate for a CI service: finds the base, builds yardstick where none is given, compares, and says so in the service's words. ci/action.yml
# calls its parts one by one; without a part it does all of them, also at home.
# usage: ci/gate.sh [resolve|build|compare|verdict]
#   resolve  which commit is the base
#   build    the yardstick that compares, unless YARDSTICK names one
#   compare  runs `yardstick gate`; its exit code is kept for `verdict`, so that what it wrote can be kept first
#   verdict  that exit code, inconclusive as INCONCLUSIVE says
# environment:
#   BASE, CANDIDATE   revisions [the merge base with GITHUB_BASE_REF, or with main; the working tree]
#   BUDGET            minutes [10]
#   OUT               folder of gate.json, gate.md, gate.txt and comment.md [target/gate]
#   YARDSTICK         the program [built from this checkout]
#   INCONCLUSIVE      pass (a warning) or fail [pass]
#   GATE_ARGUMENTS    more flags of `yardstick gate`, split at blanks
#   GITHUB_OUTPUT, GITHUB_STEP_SUMMARY  written to where they are set
# exit: 0 pass (or inconclusive, where that passes), 1 fail, 2 nothing could be compared, 3 inconclusive, where that fails
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

out=${OUT:-target/gate}

# Tells the next steps.
output() {
    printf '%s=%s\n' "$1" "$2" | tee -a "${GITHUB_OUTPUT:-/dev/null}"
}

die() {
    # One line: the service shows no more of an annotation.
    printf '::error title=Gate::%s\n' "$*"
    exit 2
}

resolve() {
    git rev-parse --git-dir > /dev/null 2>&1 || die "$PWD is no git checkout: the gate compares revisions"
    local branch=${GITHUB_BASE_REF:-main} base
    if [ -n "${BASE:-}" ]; then
        base=$(git rev-parse --verify --quiet "$BASE^{commit}") || die "base $BASE is no revision here"
    else
        base=$(git merge-base HEAD "origin/$branch" 2> /dev/null || git merge-base HEAD "$branch" 2> /dev/null) ||
            die "no common commit with $branch; check out with fetch-depth: 0, or set base"
    fi
    output base "$base"
}

build() {
    if [ -n "${YARDSTICK:-}" ]; then
        command -v "$YARDSTICK" > /dev/null || die "yardstick $YARDSTICK is no program"
        output yardstick "$(command -v "$YARDSTICK")"
        return
    fi
    (cd "$home" && cargo build --locked --release -p yardstick --no-default-features --features cpu) || die "yardstick does not build in $home"
    output yardstick "${CARGO_TARGET_DIR:-$home/target}/release/yardstick"
}

# The text of a comment under the pull request: the table, and a mark by which a later run finds and replaces it.
comment() {
    printf '<!-- yardstick-gate -->\n'
    if [ -s "$out/gate.md" ]; then
        cat "$out/gate.md"
    else
        printf '### Gate: nothing could be compared\n\n```\n'
        # A fence in the program's words would end ours.
        tail -n 40 "$out/log.txt" | sed "s/\`\`\`/'''/g"
        printf '```\n'
    fi
}

compare() {
    local status=0 verdict
    local -a more=()
    read -r -a more <<< "${GATE_ARGUMENTS:-}" || true
    mkdir -p "$out"
    # Of an earlier run.
    rm -f "$out"/gate.{json,md,txt} "$out/comment.md"
    "${YARDSTICK:?}" gate --base "${BASE:?}" --candidate "${CANDIDATE:-.}" --budget "${BUDGET:-10}" --output "$out" ${more[@]+"${more[@]}"} \
        2>&1 | tee "$out/log.txt" || status=${PIPESTATUS[0]}
    comment > "$out/comment.md"
    cat "$out/comment.md" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
    case $status in
        0) verdict=pass ;;
        1) verdict=fail ;;
        3) verdict=inconclusive ;;
        *) verdict=error ;;
    esac
    output verdict "$verdict"
    output comment "$out/comment.md"
}

verdict() {
    case ${VERDICT:?} in
        pass) ;;
        fail) printf '::error title=Gate::slower, or another output: see the summary\n'; exit 1 ;;
        inconclusive)
            if [ "${INCONCLUSIVE:-pass}" = fail ]; then
                printf '::error title=Gate::inconclusive: see the summary for the command that would decide\n'
                exit 3
            fi
            printf '::warning title=Gate::inconclusive: see the summary for the command that would decide\n'
            ;;
        *) die "nothing could be compared: see the summary" ;;
    esac
}

# What a part told the next ones.
told() {
    sed -n "s/^$1=//p" <<< "$2" | tail -n 1
}

all() {
    local text
    text=$(resolve) || { printf '%s\n' "$text"; exit 2; }
    BASE=$(told base "$text")
    text=$(build) || { printf '%s\n' "$text"; exit 2; }
    YARDSTICK=$(told yardstick "$text")
    exec 3>&1
    text=$(compare | tee /dev/fd/3)
    VERDICT=$(told verdict "$text")
    verdict
}

case ${1:-all} in
    resolve | build | compare | verdict | all) "${1:-all}" ;;
    *) sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; exit 2 ;;
esac
