#!/usr/bin/env bash
# Builds all fuzz targets for ClusterFuzzLite and puts them, with all that they need, into $OUT.
#
#   OUT=FOLDER [SANITIZER=address|coverage|none] [SCENARIO=corpus/vault-sound/scenario.toml] .clusterfuzzlite/build.sh
#
# Runs in the image of the Dockerfile, where $SRC/canloom is the project, as well as on any machine with a nightly
# toolchain and cargo-fuzz. Besides the targets, $OUT has for each its seeds and options, and for `schedule` the scenario
# with its modules at the same paths as here, so that CANLOOM_SCENARIO=$SCENARIO names it from there.
set -euo pipefail
shopt -s nullglob

mkdir -p "$OUT"
out=$(cd "$OUT" && pwd)
if [ -d "${SRC:-}/canloom" ]; then
    cd "$SRC/canloom"
    # For coverage reports the image copies all of $SRC; what is compiled would be gigabytes of that.
    build=/tmp
else
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    build=$PWD/target
fi
sanitizer=${SANITIZER:-address}
scenario=${SCENARIO:-corpus/vault-sound/scenario.toml}

# Before a nightly toolchain is chosen: modules are those of `make canisters`.
canisters/build.sh

# The image has chosen one.
export RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-nightly}
# Where `cargo metadata` finds it, too, which the `cargo` of the image asks.
export CARGO_TARGET_DIR=$build/fuzz-$sanitizer CARGO_INCREMENTAL=0
case $sanitizer in
address) flags=(--sanitizer address) ;;
coverage)
    # The `cargo` of the image ignores both: it has its own flags, and turns this into a build without optimization.
    flags=(--sanitizer none)
    export RUSTFLAGS=${RUSTFLAGS:--Cinstrument-coverage}
    ;;
*) flags=(--sanitizer none) ;;
esac
cargo fuzz build -O "${flags[@]}"

host=$(rustc -vV | sed -n 's/^host: //p')
for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    # There is no PocketIC server where the targets run.
    [ "$target" != pocket_ic ] || continue
    cp "$CARGO_TARGET_DIR/$host/release/$target" "$out/"
    cp .clusterfuzzlite/default.options "$out/$target.options"
    seeds=fuzz/seeds/$target
    [ ! -d "$seeds" ] || (cd "$seeds" && python3 -m zipfile -c "$out/${target}_seed_corpus.zip" ./*)
done

# The files that the scenario names are relative to its folder.
folder=$(dirname "$scenario")
grep -oE '^(wasm|did) = "[^"]+"' "$scenario" | cut -d'"' -f2 | sort -u | while read -r file; do
    file=$(realpath --relative-to=. "$folder/$file")
    install -D -m 644 "$file" "$out/$file"
done
install -D -m 644 -t "$out/$folder" "$scenario" "$folder"/*.cx
