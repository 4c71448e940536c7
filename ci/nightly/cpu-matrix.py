"""What cpu-matrix.sh measured, held against what the cpu backend promises: usage: cpu-matrix.py REPORT.json"""

import json
import statistics
import sys


def speeds(ratio):
    """Median and interval of our speed over llama.cpp's."""
    interval = ratio["interval"]
    found = [ratio["median"], interval.get("low"), interval.get("high")]
    if ratio["metric"].endswith("per_second") or None in found:
        return found
    return [1 / found[0], 1 / found[2], 1 / found[1]]


def error(row):
    """The largest error of a verified step or prompt, of all rows together."""
    checks = row["verification"]["checks"]
    return max(check["value"] for check in checks if check["name"] in ("prefill", "step"))


rows = json.load(open(sys.argv[1]))["rows"]
peers = {}
for row in rows:
    if row["device"]["id"].startswith("llama.cpp"):
        peers[row["model"]["name"], row["settings"]["threads asked"], row["test"]] = row
cells = []
print("| model | threads | test | tokens/s | % of limit | % of sustained read | over llama.cpp | error, times llama.cpp's |")
print("| --- | --- | --- | --- | --- | --- | --- | --- |")
for row in sorted(rows, key=lambda row: (row["test"], row["settings"]["threads asked"], row["model"]["name"])):
    key = row["model"]["name"], row["settings"]["threads asked"], row["test"]
    if not row["device"]["id"].startswith("cpu:") or key not in peers or not row["ratio"]:
        continue
    median, low, high = speeds(row["ratio"])
    errors = error(row) / error(peers[key])
    of = lambda name: row["metrics"].get(name, {}).get("median")
    percent = lambda name: "" if of(name) is None else f"{of(name):.0f}"
    interval = f"{median:.2f} [{low:.2f}, {high:.2f}]" if low else f"{median:.2f}, no interval"
    shares = f"{percent('percent_of_limit')} | {percent('percent_of_sustained')}"
    print(f"| {key[0]} | {key[1]} | {key[2]} | {of('tokens_per_second'):.4g} | {shares} | {interval} | {errors:.2f} |")
    cells.append((key, median, low, errors, of("percent_of_limit"), of("percent_of_sustained")))


def told(what, found, wanted, good):
    print(f"{what}: {found}, wanted {wanted}: {'met' if good else 'NOT MET'}")


decode = [cell for cell in cells if cell[0][2].startswith("tg")]
prefill = [cell for cell in cells if cell[0][2].startswith("pp")]
print()
if decode:
    key, _, low, *_ = min(decode, key=lambda cell: cell[2] or 0)
    told("decode, lowest lower bound", f"{low or float('nan'):.3f} ({' '.join(key)})", ">= 0.97", (low or 0) >= 0.97)
    middle = statistics.median(cell[1] for cell in decode)
    told(f"decode, median of {len(decode)} cells", f"{middle:.2f}", ">= 1.15", middle >= 1.15)
    for cell in decode:
        if cell[0][0] == "llama-3.2-1b:Q4_K_M":
            told(f"decode, {' '.join(cell[0])}", f"{cell[1]:.2f}", ">= 1.5", cell[1] >= 1.5)
        if cell[0][0].startswith("llama-3.2-1b"):
            # A ceiling is measured like a result: what reading kept up, not its best moment, which no read keeps up.
            best, sustained = cell[4] or float("nan"), cell[5] or float("nan")
            found = f"{sustained:.0f} % of what reading sustains, {best:.0f} % of its best 4 ms"
            told(f"share of the ceiling, {' '.join(cell[0])}", found, ">= 90 % of the first", sustained >= 90)
quantised = [cell[1] for cell in prefill if not cell[0][0].endswith("F16")]
if quantised:
    told("prefill, median of quantised cells", f"{statistics.median(quantised):.2f}", ">= 3", statistics.median(quantised) >= 3)
    told("prefill, least of all cells", f"{min(cell[1] for cell in prefill):.2f}", ">= 1", min(cell[1] for cell in prefill) >= 1)
if cells:
    worst = max(cells, key=lambda cell: cell[3])
    told("error over llama.cpp's, largest", f"{worst[3]:.2f} ({' '.join(worst[0])})", "<= 1.5", worst[3] <= 1.5)
