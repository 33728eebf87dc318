#!/usr/bin/env bash
# Recompiles the sample canisters with functions and fields in another order and a method more, and replays the whole corpus on
# them: names of steps, and so counterexamples, must not depend on that. Works in target/reordered.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
there=$root/target/reordered
canloom=$root/target/release/canloom

[ -x "$canloom" ] || { echo "reordered: $canloom is not there; run 'make build'" >&2; exit 1; }
mkdir -p "$there"
rm -rf "$there/canisters" "$there/corpus"
cp -r "$root/canisters" "$root/corpus" "$there"
rm -rf "$there/canisters/fixtures"
find "$there/corpus" -name '*.new' -delete
# The puppets are programs for tests, written with macros, and no entry of the corpus is theirs.
mapfile -t sources < <(find "$there/canisters" \( -name src -o -name examples \) -not -path '*/puppet*')
python3 "$root/tests/reordered/reorder.py" "${sources[@]}"
"$there/canisters/build.sh"
same=0 other=0
while read -r module; do
    if cmp -s "$root/target/canisters/$module" "$there/target/canisters/$module"; then same=$((same + 1)); else other=$((other + 1)); fi
done < <(cd "$there/target/canisters" && find . -name '*.wasm')
echo "modules: $other differ, $same are the same"
[ "$other" -gt "$same" ] || { echo "reordered: most modules are what they were" >&2; exit 1; }
status=0
"$canloom" corpus check "$there/corpus" 2>/dev/null || status=$?
echo "corpus check: exit $status"
exit "$status"
