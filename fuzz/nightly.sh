#!/usr/bin/env bash
# The nightly run: asks the canaries whether canloom can be trusted, replays the known findings, then fuzzes, and tells
# what is new.
#
#   [TIME=14400] [TARGETS="NAME ..."] [SCENARIOS="FILE ..."] fuzz/nightly.sh [--pairs]
#
# TIME is seconds, divided evenly among all pairs of target and scenario; what building takes comes on top. Left out is
# what cannot run here: pocket_ic without a server named by POCKET_IC_BIN, and the parsers without a nightly toolchain
# and cargo-fuzz. With --pairs the pairs are printed and nothing runs. target/nightly keeps what each pair printed.
#
# The result is on standard output, progress on standard error. Exit 3 if something new was found; otherwise 1 if a
# target crashed or could not run, a known finding could not be replayed, or a canary failed; otherwise 0. Wrong usage is 2.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

canloom=target/release/canloom
logs=target/nightly
parsers=(scenario_toml cx wasm_module candid_args)
failed=0 found=() table=()

say() { echo "nightly: $*" >&2; }
usage() { say "$*"; exit 2; }

is_parser() { [[ " ${parsers[*]} " = *" $1 "* ]]; }
has_pocket_ic() { [ -n "${POCKET_IC_BIN:-}" ] && "$POCKET_IC_BIN" --version >/dev/null 2>&1; }
# To ask for a toolchain must not install it.
has_cargo_fuzz() { RUSTUP_AUTO_INSTALL=0 cargo +nightly fuzz --version >/dev/null 2>&1; }

# A line for each pair; a parser has no scenario.
pairs() {
    local target
    for target in "$@"; do
        if is_parser "$target"; then echo "$target -"; else printf "$target %s\n" "${scenarios[@]}"; fi
    done
}

# Replays what lies beside the scenarios. What violates no more is told, and is no failure: people delete it.
replay() {
    local file status still=0
    while read -r file; do
        status=0
        "$canloom" repro "$file" --quiet >/dev/null || status=$?
        case $status in
        3) still=$((still + 1)) ;;
        0 | 6) echo "stale: $file: the invariant holds on it now" ;;
        4) echo "diverged: $file: its steps cannot be made any more"; failed=1 ;;
        *) echo "not replayed: $file: exit $status"; failed=1 ;;
        esac
    done < <(dirname "${scenarios[@]}" | xargs -I{} find {} -maxdepth 1 -name '*.cx' | sort -u | xargs -r grep -L '^status: fixed')
    say "$still known findings still violate"
}

# Findings beside a scenario that nobody has accepted yet.
pending() { [ -z "$1" ] || find "$(dirname "$1")" -maxdepth 1 -name '*.cx.new' | sort; }

# What to look at after a run that failed: the input that was kept, or else the last line.
culprit() { grep -oE "[^ \"'\`]*artifacts/[^ \"'\`]+" "$1" | tail -n 1 || tail -n 1 "$1"; }

# Fuzzes a pair. A finding ends a run, so the next one takes the seconds that are left, and does not report it again.
fuzz() {
    local target=$1 scenario=${2#-} seconds=$3 start=$SECONDS left=$3 status=0 known=${#found[@]} before new result
    local log=$logs/$target${scenario:+-${scenario//\//-}}.log
    : >"$log"
    while [ "$left" -gt 0 ]; do
        before=$(pending "$scenario") status=0
        TARGET=$target SCENARIO=$scenario TIME=$left KNOWN=1 fuzz/run.sh 2>&1 | tee -a "$log" >&2 || status=$?
        [ "$status" = 3 ] || break
        mapfile -t new < <(comm -13 <(echo "$before") <(pending "$scenario"))
        # Without a new file the next run would find the same.
        if [ ${#new[@]} = 0 ]; then
            [ ${#found[@]} -gt "$known" ] || found+=("$target $scenario: see $log")
            break
        fi
        found+=("${new[@]}")
        left=$((seconds - SECONDS + start))
    done
    result="$((${#found[@]} - known)) new"
    [[ $status =~ ^[03]$ ]] || { result+=", exit $status: $(culprit "$log")"; failed=1; }
    table+=("$(printf '%-56s %7s  %s' "$target $scenario" $((SECONDS - start)) "$result")")
}

[ $# = 0 ] || [ "$*" = --pairs ] || usage "not known: $*"
time=${TIME:-14400}
[[ $time =~ ^[1-9][0-9]*$ ]] || usage "TIME is a number of seconds, not '$time'"
# The zoo is for tests, and controls are correct.
default=$(printf '%s ' corpus/*/scenario.toml | sed -E 's,corpus/(zoo|control)-[^ ]* ,,g')
read -rd '' -a scenarios <<<"${SCENARIOS:-$default}" || true
for scenario in "${scenarios[@]}"; do [ -f "$scenario" ] || usage "$scenario is not there"; done
read -rd '' -a targets <<<"${TARGETS:-schedule ${parsers[*]}${POCKET_IC_BIN:+ pocket_ic}}" || true
if [ $# = 1 ]; then pairs "${targets[@]}"; exit; fi

[ -x "$canloom" ] || { say "$canloom is not there; run 'make build'"; exit 1; }
rm -rf "$logs" && mkdir -p "$logs"
fuzz/canaries.sh || failed=1
replay

ready=() without=()
for target in "${targets[@]}"; do
    if is_parser "$target" && ! has_cargo_fuzz; then
        without+=("$target")
    elif [ "$target" = pocket_ic ] && ! has_pocket_ic; then
        echo "left out: pocket_ic: POCKET_IC_BIN names no server that runs"
    else
        ready+=("$target")
    fi
done
[ ${#without[@]} = 0 ] || echo "left out: ${without[*]}: no nightly toolchain (rustup) or no cargo-fuzz (cargo install)"
[ ${#ready[@]} -gt 0 ] || { echo "nothing can run here"; exit 1; }

mapfile -t work < <(pairs "${ready[@]}")
share=$((time / ${#work[@]})) done=0
for pair in "${work[@]}"; do
    say "$((done += 1)) of ${#work[@]}: $pair, $share s"
    fuzz "${pair% *}" "${pair#* }" "$((share > 0 ? share : 1))"
done

printf '\n%-56s %7s  %s\n' pair seconds result
printf '%s\n' "${table[@]}"
[ ${#found[@]} = 0 ] || { printf '\nnew; keep what is to be kept with `canloom corpus accept FILE`:\n'; printf '  %s\n' "${found[@]}"; exit 3; }
exit "$failed"
