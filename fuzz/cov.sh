#!/usr/bin/env bash
# Says which lines and functions of the canisters the fuzz inputs of a scenario run.
#
#   SCENARIO=FILE fuzz/cov.sh
#
# Inputs are those in fuzz/corpus/schedule/NAME, which fuzz/run.sh has left there, and the .cx files beside the scenario; NAME
# is that of the scenario's folder. Writes target/fuzz-cov/NAME.txt, a table of functions for each canister, and
# target/fuzz-cov/NAME.info, which genhtml and editors read. canloom is taken from CANLOOM, or target/release.
#
# Exit 0: written. 2: usage. Others: as of canloom.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scenario=${SCENARIO:-} canloom=${CANLOOM:-target/release/canloom}

fail() { echo "cov: $2" >&2; exit "$1"; }
[ -n "$scenario" ] || fail 2 "no scenario; try SCENARIO=corpus/vault-stale/scenario.toml"
[ $# = 0 ] || fail 2 "no arguments are taken; the scenario is named as SCENARIO=$1"
[ -f "$scenario" ] || fail 2 "$scenario is not there"
[ -x "$canloom" ] || fail 1 "$canloom is not there; run \`make build\` first"

folder=$(dirname "$scenario")
name=$(basename "$(realpath "$folder")")
inputs=()
[ -z "$(ls "fuzz/corpus/schedule/$name" 2>/dev/null)" ] || inputs+=("fuzz/corpus/schedule/$name")
for file in "$folder"/*.cx; do
    # Another scenario can lie there too, with counterexamples of its own.
    ! grep -qsxF "scenario: $(basename "$scenario")" "$file" || inputs+=("$file")
done
[ ${#inputs[@]} -gt 0 ] ||
    fail 2 "no inputs in fuzz/corpus/schedule/$name, and no .cx file beside $scenario; run \`make fuzz SCENARIO=$scenario\` first"

out=target/fuzz-cov/$name
mkdir -p target/fuzz-cov
"$canloom" coverage "$scenario" "${inputs[@]}" --lcov "$out.info" >"$out.txt.part"
mv "$out.txt.part" "$out.txt"
# The sample canisters are built with paths that are the same everywhere.
here=$(printf %s "$PWD" | sed 's,[\\&|],\\&,g')
sed "s|^SF:/canisters/|SF:$here/canisters/|" "$out.info" >"$out.info.part"
mv "$out.info.part" "$out.info"
grep '^canister \|^total: ' "$out.txt"
echo "cov: $out.txt and $out.info are written" >&2
