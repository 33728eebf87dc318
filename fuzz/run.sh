#!/usr/bin/env bash
# Fuzzes one target for a while, or makes its inputs fewer.
#
#   [TARGET=schedule] [SCENARIO=FILE] [TIME=60] [KNOWN=1] [SEED=0] fuzz/run.sh [--cmin] [LIBFUZZER-OPTION ...]
#
# schedule and pocket_ic need a SCENARIO and a C++ compiler. Their feedback comes from inside the canisters, so canloom itself
# is built as for any other use: nothing is compiled twice, and no nightly toolchain is needed. The other targets fuzz
# canloom's readers, which `cargo fuzz` has to instrument. With KNOWN=1, violations that a .cx or .cx.new beside the scenario
# records are passed over. Inputs are kept in fuzz/corpus, crashes of canloom in fuzz/artifacts.
#
# Exit 0: nothing found. 3: a violation, its .cx.new lies beside the scenario. 2: usage. 1: canloom crashed, or cannot run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${TARGET:-schedule} scenario=${SCENARIO:-} time=${TIME:-60}
options=(-max_total_time="$time" -seed="${SEED:-0}" -rss_limit_mb=4096 -timeout=120 -print_final_stats=1)

fail() { echo "fuzz: $2" >&2; exit "$1"; }
[[ $time =~ ^[1-9][0-9]*$ ]] || fail 2 "TIME is a number of seconds, not '$time'"
[ -f "fuzz/fuzz_targets/$target.rs" ] || fail 2 "no target '$target'; there are: $(cd fuzz/fuzz_targets && echo ./*.rs | sed 's,\./\([a-z_]*\)\.rs,\1,g')"

case $target in
schedule | pocket_ic)
    [ -n "$scenario" ] || fail 2 "$target needs a scenario; try SCENARIO=corpus/vault-stale/scenario.toml"
    [ -e "$scenario" ] || fail 2 "$scenario is not there"
    [ -f "$scenario" ] || fail 2 "$scenario is not a scenario file"
    command -v "${CXX:-c++}" >/dev/null || fail 1 "libFuzzer needs a C++ compiler; install g++ or clang, or name one in CXX"
    name=$target/$(basename "$(dirname "$(realpath "$scenario")")")
    cargo build --quiet --release --locked --manifest-path fuzz/Cargo.toml --target-dir target --bin "$target"
    binary=target/release/$target
    # Energy by rare features costs a fifth of the runs; the mutator itself prefers what has just reached something.
    options+=(-max_len=65536 -entropic=0)
    export CANLOOM_SCENARIO=$scenario CANLOOM_KNOWN=${KNOWN:-0}
    ;;
*)
    # To ask for a toolchain must not install it.
    RUSTUP_AUTO_INSTALL=0 cargo +nightly fuzz --version >/dev/null 2>&1 ||
        fail 1 "$target needs a nightly toolchain (rustup toolchain install nightly) and cargo-fuzz (cargo install cargo-fuzz)"
    name=$target
    cargo +nightly fuzz build --sanitizer none --fuzz-dir fuzz --target-dir target/fuzz "$target" >&2
    binary=target/fuzz/$(rustc -vV | sed -n 's/^host: //p')/release/$target
    options+=(-max_len=16384)
    ;;
esac

inputs=fuzz/corpus/$name artifacts=fuzz/artifacts/$name
mkdir -p "$inputs" "$artifacts"
seeds=()
case $target in
scenario_toml) for file in corpus/*/*.toml; do cp -n "$file" "$inputs/$(tr / - <<<"$file")"; done ;;
cx) for file in corpus/*/*.cx; do cp -n "$file" "$inputs/"; done ;;
*) [ ! -d "fuzz/seeds/$name" ] || seeds=("fuzz/seeds/$name") ;;
esac

if [ "${1:-}" = --cmin ]; then
    # The smaller set is complete before it takes the place of the other one.
    rm -rf "$inputs.less" && mkdir "$inputs.less"
    "$binary" -merge=1 -rss_limit_mb=4096 -timeout=120 "$inputs.less" "$inputs" 2>&1 | tail -n 1 >&2
    before=$(find "$inputs" -type f | wc -l)
    mv "$inputs" "$inputs.old" && mv "$inputs.less" "$inputs" && rm -rf "$inputs.old"
    echo "fuzz: $inputs: $(find "$inputs" -type f | wc -l) of $before inputs are left"
    exit
fi

log=$(mktemp) status=0
trap 'rm -f "$log"' EXIT
"$binary" "${options[@]}" -artifact_prefix="$artifacts/" "$@" "$inputs" "${seeds[@]}" 2>&1 | tee "$log" >&2 || status=$?
if grep -q '^canloom: .* is violated in ' "$log"; then
    sed -n '/^canloom: .* is violated in /,/^==/{/^==/!p}' "$log"
    exit 3
fi
case $status in
0 | 2) exit "$status" ;;
*) fail 1 "$target ended with $status; what it ran is in $artifacts" ;;
esac
