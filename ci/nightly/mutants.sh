#!/usr/bin/env bash
# Whether verification catches a broken forward pass: every mutant of a backend on presets × formats, as a table.
# usage: ci/nightly/mutants.sh [MODEL...]   a model is preset:format[,format]; default: the list below
# environment: MUTANTS_BACKEND, cpu (the default) or wgpu; MUTANTS_TABLE, the file written (backends/BACKEND/MUTANTS.md)
# exit: 0 every mutant caught and every real device passed, 1 not
set -euo pipefail
cd "$(dirname "$0")/../.."

small=Q4_0,Q4_1,Q5_0,Q5_1,Q8_0,Q4_K_M,Q5_K_M,Q6_K,F16
large=Q4_0,Q8_0,Q4_K_M
default=(tiny:$small tiny-qwen2:$small smollm-135m:$small smollm-360m:$large qwen2-0.5b:$large
    tinyllama-1.1b:$large llama-3.2-1b:$large qwen2-1.5b:Q4_0 llama-3.2-3b:Q4_0)
backend=${MUTANTS_BACKEND:-cpu}
case $backend in
    cpu) limits='3e-3 with 8-bit activations, 1e-4 for F16 files' ;;
    wgpu)
        limits='1e-4, that of an f16 cache'
        # A software adapter is a hundred times slower than the processor it runs on.
        default=(tiny:Q4_0,Q4_1,Q5_0,Q5_1,Q8_0,Q4_K_M,Q5_K_M,Q6_K tiny-qwen2:Q4_0,Q8_0,Q4_K_M smollm-135m:Q4_0,Q8_0,Q4_K_M)
        ;;
    *) echo "no mutants of $backend"; exit 1 ;;
esac
[ $# -gt 0 ] || set -- "${default[@]}"
table=${MUTANTS_TABLE:-backends/$backend/MUTANTS.md}
target=${CARGO_TARGET_DIR:-target}

cargo build --locked --release -p yardstick --features mutants --target-dir "$target/mutants"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for model in "$@"; do
    # Exit code 1 is what is hoped for: wrong answers were found.
    "$target/mutants/release/yardstick" run --verify-only --seed 1 --devices "$backend:*" --model "$model" 2>&1 >/dev/null \
        | tee -a "$log" || [ "${PIPESTATUS[0]}" = 1 ]
done

commit=$(git rev-parse --short HEAD)
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
awk -v commit="$commit" -v processor="$processor" -v backend="$backend" -v limits="$limits" '
    # cpu:mutant-rotary tiny:Q4_0: WRONG ANSWERS, step 4.45e-1 (limit 3e-3)
    index($0, backend ":") == 1 && (/: verified/ || /: WRONG ANSWERS/) {
        device = $1; model = $2; sub(/:$/, "", model)
        wrong = /: WRONG ANSWERS/
        match($0, /(verified|WRONG ANSWERS), .*/)
        evidence = substr($0, RSTART, RLENGTH)
        sub(/^(verified|WRONG ANSWERS), /, "", evidence)
        sub(/ \(limit.*/, "", evidence)
        if (!(model in models)) { models[model] = 1; rows[++n] = model }
        if (!(device in devices)) { devices[device] = 1; columns[++m] = device }
        cell[model, device] = evidence
        mutant = device ~ /mutant/
        if (mutant) { mutants++; caught += wrong } else { real++; passed += !wrong }
        if (mutant != wrong) { cell[model, device] = "**" evidence "**"; bad++ }
    }
    END {
        # Columns in the order of their names: launches are shuffled.
        for (i = 1; i <= m; i++) for (j = i + 1; j <= m; j++)
            if (columns[j] < columns[i]) { t = columns[i]; columns[i] = columns[j]; columns[j] = t }
        print "# Mutants of the " backend " forward pass"
        print ""
        print "Which faults verification catches: each cell is the check nearest its limit, or farthest over it, and its value"
        print "(limit of the NMSE: " limits "; three times that for a single row; of a generated token'\''s shortfall: 8 times its root)."
        print "Bold: a mutant that passed or a device that did not. Written by `ci/nightly/mutants.sh` at commit " commit " on " processor "."
        print ""
        printf "**%d of %d mutants caught, %d of %d real devices passed.**\n\n", caught, mutants, passed, real
        printf "| model |"; for (i = 1; i <= m; i++) { name = columns[i]; sub(/^[a-z]*:/, "", name); printf " %s |", name }
        printf "\n| --- |"; for (i = 1; i <= m; i++) printf " --- |"; print ""
        for (r = 1; r <= n; r++) {
            printf "| %s |", rows[r]
            for (i = 1; i <= m; i++) {
                c = cell[rows[r], columns[i]]; printf " %s |", (c == "" ? "not run" : c)
                if (c == "") bad++
            }
            print ""
        }
        exit (bad > 0 || mutants == 0)
    }' "$log" > "$table.new" && code=0 || code=1
mv "$table.new" "$table"
sed -n '7p' "$table"
exit $code
