#!/usr/bin/env bash
# How long `schedule` takes to find bugs, without any seed: the tables of docs/fuzzing.md.
#
#   [RUNS=20] [LIMIT=30] fuzz/measure.sh [SCENARIO ...]
#
# For each scenario RUNS runs with the seeds 1 to RUNS, at most LIMIT seconds each. The scenarios are copied first, so that
# nothing is written beside them. With CANLOOM_FEEDBACK=off nothing is shown to libFuzzer, for comparison. Times are those of
# the whole process: compiling the modules is about two seconds of each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

runs=${RUNS:-20} limit=${LIMIT:-30}
[ $# -gt 0 ] || set -- corpus/vault-stale/scenario.toml fuzz/puzzles/magic/scenario.toml
cargo build --quiet --release --locked --manifest-path fuzz/Cargo.toml --target-dir target --bin schedule
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The same places relative to each other as here.
ln -s "$PWD/canisters" "$PWD/target" "$scratch/"

printf '%-44s %9s %8s %8s  %s\n' scenario found median slowest 'inputs per second'
for scenario in "$@"; do
    folder=$scratch/$(dirname "$scenario")
    mkdir -p "$folder"
    cp "$scenario" "$folder/"
    times=() rates=() found=0
    for seed in $(seq "$runs"); do
        inputs=$(mktemp -d -p "$scratch")
        began=$(date +%s%N)
        CANLOOM_SCENARIO=$scratch/$scenario target/release/schedule "$inputs" -seed="$seed" -max_total_time="$limit" \
            -max_len=65536 -entropic=0 -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$inputs/" >"$inputs.log" 2>&1 || true
        took=$((($(date +%s%N) - began) / 1000000))
        if grep -q ' is violated in ' "$inputs.log"; then found=$((found + 1)); times+=("$took"); fi
        rates+=("$(sed -n 's/^stat::average_exec_per_sec: *//p' "$inputs.log" | tail -n 1)")
        rm -rf "$inputs" "$folder"/*.new
    done
    mapfile -t times < <(printf '%s\n' "${times[@]}" | sort -n)
    mapfile -t rates < <(printf '%s\n' "${rates[@]}" | sort -n)
    seconds() { [ -n "${1:-}" ] && printf '%d.%01d s' $(($1 / 1000)) $(($1 % 1000 / 100)) || echo -; }
    printf '%-44s %9s %8s %8s  %s\n' "${scenario%/scenario.toml}" "$found of $runs" \
        "$(seconds "${times[$((found / 2))]:-}")" "$(seconds "${times[$((found - 1))]:-}")" "${rates[$((runs / 2))]:--}"
done
