# The cpu backend against llama.cpp by turns, for the scripts beside it; sourced from the repository's root.

python=${YARDSTICK_PYTHON:-python3}
if ! "$python" -c 'import llama_cpp' 2>/dev/null; then
    echo "skipped: $python lacks llama-cpp-python; YARDSTICK_PYTHON names another"
    exit 3
fi
yardstick=${YARDSTICK:-${CARGO_TARGET_DIR:-target}/release/yardstick}
[ -n "${YARDSTICK:-}" ] || cargo build --locked --release -p yardstick

# against_peer NAME FLAGS...: five paired launches; NAME.sqlite, NAME.json and NAME.md
against_peer() {
    local name=$1
    shift
    "$yardstick" --store "$name.sqlite" run --devices cpu,llama.cpp --paired --launches 5 --python "$python" "$@"
    "$yardstick" --store "$name.sqlite" report --baseline llama.cpp --format json --output "$name.json"
    "$yardstick" --store "$name.sqlite" report --baseline llama.cpp --format markdown --output "$name.md"
}

# judge_peer LEAST FILE...: every ratio of speeds, and whether all medians are at least that
judge_peer() {
    python3 - "$@" <<'PYTHON'
import json, sys

least, worst = float(sys.argv[1]), []
for file in sys.argv[2:]:
    for row in json.load(open(file))["rows"]:
        ratio = row.get("ratio")
        if not row["device"]["id"].startswith("cpu:") or not ratio:
            continue
        # Times are better the smaller they are.
        invert = not ratio["metric"].endswith("per_second")
        speed = 1 / ratio["median"] if invert else ratio["median"]
        print(f'{file}: {row["model"]["name"]} {row["test"]}, {row["settings"]["threads asked"]} threads: {speed:.2f} times llama.cpp, {ratio["n"]} pairs')
        worst.append(speed)
if not worst:
    sys.exit("no cell has a ratio")
sys.exit(min(worst) < least)
PYTHON
}
