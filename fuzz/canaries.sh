#!/usr/bin/env bash
# Canaries: bugs that are known to be there must be found, and their corrected twins must hold, before anything that this
# canloom says tonight is believed.
#
#   fuzz/canaries.sh            exit 0, or 1 and which canary fell silent or sang for nothing
#
# Every way to choose orders is tried on each of them. What they find is written to target/, not to the corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

canloom=target/release/canloom
canaries=(zoo-t01 zoo-t05)
strategies=(exhaustive random pos pct portfolio)
failed=0 tried=0

# Explores a copy, and compares the exit code.
expect() {
    local wanted=$1 file=$2 status=0
    shift 2
    "$canloom" explore "$file" --quiet "$@" >/dev/null || status=$?
    tried=$((tried + 1))
    [ "$status" = "$wanted" ] && return
    echo "canary: canloom explore $file $* ended with exit $status, not $wanted: do not trust what else it says"
    failed=1
}

for name in "${canaries[@]}"; do
    # As deep in the tree as the original, because scenarios name their modules by relative paths.
    copy=target/canary-$name
    rm -rf "$copy" && mkdir -p "$copy" && cp corpus/"$name"/*.toml "$copy"
    for strategy in "${strategies[@]}"; do
        expect 3 "$copy/scenario.toml" --strategy "$strategy"
    done
    expect 0 "$copy/fixed.toml" --strategy exhaustive
    rm -rf "$copy"
done
[ "$failed" = 1 ] || echo "canaries: ${#canaries[@]} bugs found in every way, their fixes hold ($tried runs)"
exit "$failed"
