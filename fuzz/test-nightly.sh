#!/usr/bin/env bash
# Tests of nightly.sh, which runs here between a fake canloom, a fake run.sh and a fake cargo.
#
# A `.cx` file of the fake holds what `repro` exits with. The fake run.sh notes how it was called, and then does what
# the file `plot` says, which is shell.
# shellcheck disable=SC2016 # The fakes expand, not this script.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
stage=$(mktemp -d)
test=
trap 'status=$?; rm -rf "$stage"; [ "$status" = 0 ] || echo "FAILED $test"; exit "$status"' EXIT
cd "$stage"
export PATH=$stage/bin:$PATH
passed=0

program() { mkdir -p "$(dirname "$1")" && { echo '#!/usr/bin/env bash' && cat; } >"$1" && chmod +x "$1"; }

# A fresh project with two scenarios, one of the zoo and one control; everything can run and nothing is found.
project() {
    rm -rf -- * && unset POCKET_IC_BIN
    mkdir -p corpus/{a,b,zoo-t01,control-c} fuzz bin
    touch corpus/{a,b,zoo-t01,control-c}/scenario.toml plot calls
    echo 3 >corpus/a/known.cx
    cp "$here/nightly.sh" "$here/canaries.sh" fuzz/
    mkdir -p corpus/zoo-t05 && touch corpus/zoo-t0{1,5}/fixed.toml corpus/zoo-t05/scenario.toml
    program target/release/canloom <<<'[ "$1 $3" = "repro --quiet" ] && exit "$(cat "$2")"
case "$*" in *zoo-t*/scenario.toml*) exit 3 ;; *zoo-t*/fixed.toml*) exit 0 ;; esac; exit 9'
    program bin/cargo <<<'[ "$*" = "+nightly fuzz --version" ]'
    program bin/pocket-ic <<<'[ "$*" = --version ]'
    program fuzz/run.sh <<<'echo "$TARGET $SCENARIO $TIME $KNOWN" >>calls; source ./plot'
}

# The exit code and what must be on standard output, one pattern each; the environment is the test's.
nightly() {
    local expected=$1 status=0 pattern
    shift
    fuzz/nightly.sh >out 2>err || status=$?
    [ "$status" = "$expected" ] || { echo "exit $status, not $expected"; cat out err; exit 1; }
    for pattern in "$@"; do
        grep -qE -- "$pattern" out || { echo "no '$pattern' in"; cat out; exit 1; }
    done
}

called() { diff <(printf '%s\n' "$@") calls; }
calls_are() { [ "$(wc -l <calls)" = "$1" ]; }

time_is_divided_among_all_pairs_without_zoo_and_controls() {
    TIME=60 nightly 0 '^schedule corpus/a/scenario.toml +[0-9]+  0 new$' '^cx +[0-9]+  0 new$'
    called 'schedule corpus/a/scenario.toml 10 1' 'schedule corpus/b/scenario.toml 10 1' \
        'scenario_toml  10 1' 'cx  10 1' 'wasm_module  10 1' 'candid_args  10 1'
}

pocket_ic_takes_part_if_its_server_runs() {
    POCKET_IC_BIN=pocket-ic SCENARIOS=corpus/b/scenario.toml TIME=6 nightly 0 '^pocket_ic corpus/b/'
    POCKET_IC_BIN=bin/none nightly 0 '^left out: pocket_ic: '
}

parsers_are_left_out_in_one_line_without_cargo_fuzz() {
    program bin/cargo <<<'exit 101'
    TIME=2 nightly 0 '^left out: scenario_toml cx wasm_module candid_args: '
    called 'schedule corpus/a/scenario.toml 1 1' 'schedule corpus/b/scenario.toml 1 1'
    TARGETS=cx nightly 1 '^nothing can run here$'
}

a_canary_that_falls_silent_fails_the_night() {
    TARGETS=schedule TIME=2 nightly 0 '^canaries: 2 bugs found in every way, their fixes hold \(12 runs\)$'
    sed -i 's,exit 3 ;;,[[ $* = *pos* ]]; exit $((3 * $?)) ;;,' target/release/canloom
    TARGETS=schedule TIME=2 nightly 1 '^canary: canloom explore target/canary-zoo-t01/scenario.toml --strategy pos ended with exit 0, not 3'
}

a_finding_is_listed_and_the_next_run_takes_the_seconds_that_are_left() {
    echo '[ -f corpus/a/x.cx.new ] || { touch corpus/a/x.cx.new; sleep 1; exit 3; }' >plot
    touch corpus/a/old.cx.new
    TARGETS=schedule SCENARIOS=corpus/a/scenario.toml TIME=100 nightly 3 '^schedule .* 1 new$' '^  corpus/a/x.cx.new$'
    if grep old.cx.new out; then false; fi
    grep -qE '^schedule corpus/a/scenario.toml 9[0-9] 1$' calls
    calls_are 2
}

a_finding_without_a_file_ends_the_pair() {
    echo 'exit 3' >plot
    TARGETS=schedule TIME=100 nightly 3 '^  schedule corpus/a/scenario.toml: see target/nightly/schedule-corpus-a-scenario.toml.log$'
    calls_are 2
    echo 'touch corpus/a/x.cx.new; exit 3' >plot
    TARGETS=schedule SCENARIOS=corpus/a/scenario.toml TIME=100 nightly 3 '^schedule .* 1 new$'
    calls_are 4
}

a_crash_is_told_with_its_artifact_and_the_other_pairs_run() {
    echo 'if [ "$TARGET" = cx ]; then echo "cargo fuzz run cx fuzz/artifacts/cx/crash-1f"; exit 1; fi' >plot
    TARGETS="cx schedule" nightly 1 '^cx .* 0 new, exit 1: fuzz/artifacts/cx/crash-1f$' '^schedule corpus/b/.* 0 new$'
    echo 'if [ "$TARGET" = cx ]; then echo wrong usage; exit 2; else touch corpus/a/x.cx.new; exit 3; fi' >plot
    TARGETS="cx schedule" nightly 3 ' 0 new, exit 2: wrong usage$' '^  corpus/a/x.cx.new$'
}

known_findings_are_replayed_first() {
    echo 6 >corpus/a/gone.cx && echo 3 >corpus/zoo-t01/known.cx
    nightly 0 '^stale: corpus/a/gone.cx: '
    grep -q '1 known findings still violate' err
    echo 4 >corpus/b/other.cx
    nightly 1 '^diverged: corpus/b/other.cx: ' '^schedule corpus/b/.* 0 new$'
    echo 2 >corpus/b/other.cx
    nightly 1 '^not replayed: corpus/b/other.cx: exit 2$'
}

wrong_usage_is_told() {
    TIME=soon nightly 2
    SCENARIOS=corpus/none/scenario.toml nightly 2
    rm target/release/canloom
    nightly 1
}

pairs_are_only_printed() {
    TARGETS="pocket_ic cx" fuzz/nightly.sh --pairs >out
    diff out <(printf '%s\n' 'pocket_ic corpus/a/scenario.toml' 'pocket_ic corpus/b/scenario.toml' 'cx -')
    calls_are 0
}

for test in $(compgen -A function | grep "_.*_"); do
    project
    "$test"
    passed=$((passed + 1))
done
echo "test-nightly: $passed passed"
