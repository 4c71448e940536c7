# Named steps with their durations and a summary. Sourced by check.sh and nightly.sh; runs nothing itself.
# A step that exits with 3 was skipped and says why; any other failure is counted and the next step runs.

summary=()
failures=0

# step NAME COMMAND...
step() {
    local name=$1 begun=$SECONDS status=0 word
    shift
    printf '\n==> %s: %s\n' "$name" "$*"
    "$@" || status=$?
    case $status in
        0) word=ok ;;
        3) word=skipped ;;
        *) word="FAILED ($status)"; failures=$((failures + 1)) ;;
    esac
    summary+=("$(printf '%-12s %5d s  %s' "$word" $((SECONDS - begun)) "$name")")
    printf '==> %s: %s after %d s\n' "$name" "$word" $((SECONDS - begun))
}

# Prints the summary; its status is that of the whole.
finish() {
    printf '\n'
    printf '%s\n' "${summary[@]}"
    printf '%-12s %5d s  total\n' "$([ $failures -eq 0 ] && echo ok || echo FAILED)" "$SECONDS"
    [ "$failures" -eq 0 ]
}
