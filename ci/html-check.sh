#!/usr/bin/env bash
# Opens HTML files in headless Chromium and fails on a console message, a network request or a reference to another file.
# usage: ci/html-check.sh FILE...      check files
#        ci/html-check.sh --self-test  prove that the check notices what it should
# exit: 0 clean, 1 not clean, 2 wrong usage, 3 skipped: there is no Chromium (ci/setup.sh installs it)
set -euo pipefail

chromium=""
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then chromium=$name; break; fi
done

# Prints what is wrong with one file; nothing when it is clean.
faults() {
    local file=$1 work
    work=$(mktemp -d)
    static_references "$file"
    # The page may resolve no name and the browser does nothing of its own; every request still stands in the net log.
    if ! timeout 120 "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync --disable-default-apps \
        --disable-domain-reliability --disable-client-side-phishing-detection --no-pings \
        --disable-features=OptimizationHints,MediaRouter,Translate --host-resolver-rules="MAP * ~NOTFOUND" \
        --user-data-dir="$work/profile" --log-net-log="$work/net.json" --virtual-time-budget=5000 \
        --enable-logging=stderr --v=0 --dump-dom "file://$(realpath "$file")" \
        >"$work/dom" 2>"$work/stderr"; then
        echo "chromium failed: $(tail -n 3 "$work/stderr")"
    fi
    grep -E 'CONSOLE[:(]' "$work/stderr" | sed 's/^/console: /' || true
    # One event a line. What the browser asks for itself has no origin; what the page asks for has one, even if it is "null".
    grep -E '"initiator":"' "$work/net.json" | grep -v '"initiator":"not an origin"' \
        | grep -oE '"url":"(https?|wss?|ftp)://[^"]*"' | sort -u | sed 's/^/request: /' || true
    # A page that says nothing would pass everything else.
    [ "$(wc -c <"$work/dom")" -gt 100 ] || echo "the page is empty"
    rm -rf "$work"
}

# References that a browser may not follow today but would on another day; links (<a href>) are not requests.
static_references() {
    grep -niEo '<(img|script|link|iframe|source|video|audio|object|embed|base|image|use)[^>]*(src|href|data|srcset)[[:space:]]*=[[:space:]]*["'"'"']?(https?:|//|file:|ftp:)[^ >]*|url\([[:space:]]*["'"'"']?(https?:|//|file:)[^)]*|@import[^;]*' "$1" \
        | sed 's/^/reference, line /' || true
}

check() {
    local file found status=0
    for file in "$@"; do
        [ -s "$file" ] || { echo "$file: missing or empty"; status=1; continue; }
        found=$(faults "$file")
        if [ -z "$found" ]; then
            echo "$file: no console message, no request ($(wc -c <"$file") bytes)"
        else
            printf '%s:\n%s\n' "$file" "$found"
            status=1
        fi
    done
    return $status
}

# One clean page and the ways in which a page can be unclean.
self_test() {
    local work status=0 name body
    work=$(mktemp -d)
    page() { printf '<!doctype html><html><head><meta charset="utf-8"><title>t</title></head><body><p>%s</p>%s</body></html>' "$(printf 'x%.0s' {1..100})" "$2" >"$work/$1.html"; }
    page clean '<a href="https://example.org/">link</a><svg width="9" height="9"><rect width="9" height="9"/></svg><script>document.title="ran"</script>'
    page error '<script>null.x</script>'
    page warning '<script>console.warn("w")</script>'
    page log '<script>console.log("l")</script>'
    page image '<img src="http://192.0.2.1/a.png">'
    page fetch '<script>fetch("http:" + "//example.org/").catch(() => 0)</script>'
    page beacon '<script>navigator.sendBeacon("https:" + "//example.org/b", "x")</script>'
    page socket '<script>try { new WebSocket("ws:" + "//example.org/") } catch (e) {}</script>'
    page style '<style>p { background: url(https://example.org/a.png) }</style>'
    page iframe '<script>document.body.append(Object.assign(document.createElement("iframe"), {src: "http:" + "//example.org/"}))</script>'
    page away '<script>location = "https:" + "//example.org/"</script>'
    page font '<link rel="stylesheet" href="//example.org/a.css">'
    check "$work/clean.html" || status=1
    for name in error warning log image fetch beacon socket style iframe away font; do
        if check "$work/$name.html" >"$work/out"; then
            echo "self-test: $name was not noticed"; status=1
        else
            echo "self-test: $name noticed: $(sed -n 2p "$work/out" | cut -c1-120)"
        fi
    done
    rm -rf "$work"
    return $status
}

[ $# -gt 0 ] || { sed -n '2,5p' "$0"; exit 2; }
[ -n "$chromium" ] || { echo "skipped: no chromium; ci/setup.sh installs it"; exit 3; }
if [ "$1" = --self-test ]; then self_test; else check "$@"; fi
