#!/usr/bin/env bash
# Builds the sample canisters and puts them into a folder as <name>.wasm.
# A package with a folder `examples` is many small canisters: each of its examples becomes <package>/<example>.wasm.
#
#   canisters/build.sh [--fixtures] [FOLDER]        default: target/canisters of the project
#
# With --fixtures, also the canisters that only tests need, as fixtures/<name>.wasm below that folder. Each of them
# is a workspace of its own, since one lock file takes one version of ic-cdk; all share one build folder.
#
# The standard library of wasm32-unknown-unknown comes from rustup where rustup has it or can fetch it, and
# otherwise is built from source by Debian's packages; one line says which. The same toolchain gives the same
# bytes wherever the project lies: no path of this machine gets into a module. Nothing is done when
# every module is newer than every source.
set -euo pipefail

target=wasm32-unknown-unknown
packages=(rustc-web cargo-web rust-web-src lld-22)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$here")
build=$root/target/canisters-build
fixtures=
if [ "${1:-}" = --fixtures ]; then
    fixtures=1
    shift
fi
case ${1:-} in
    -*) echo "canisters: not known: $1; usage: canisters/build.sh [--fixtures] [FOLDER]" >&2; exit 2 ;;
esac
out=${1:-$root/target/canisters}
if [ -e "$out" ] && [ ! -d "$out" ]; then
    echo "canisters: $out is a file; name a folder" >&2
    exit 2
fi
mkdir -p "$out" "$build"
out=$(cd "$out" && pwd -P)

say() { echo "canisters: $*" >&2; }

# The folder name of a package is the name of its canister; or it has examples, and they are the canisters. No two
# packages of a workspace can have an example of one name: cargo puts all of them into one folder.
names=()
declare -A built_as
for manifest in "$here"/*/Cargo.toml ${fixtures:+"$here"/fixtures/*/Cargo.toml}; do
    folder=$(dirname "${manifest#"$here"/}")
    if [ -d "$here/$folder/examples" ]; then
        for source in "$here/$folder"/examples/*.rs; do
            example=$(basename "$source" .rs)
            names+=("$folder/$example")
            built_as[$folder/$example]=examples/$example.wasm
        done
    else
        names+=("$folder")
        built_as[$folder]=$(basename "$folder" | tr - _).wasm
    fi
done

is_up_to_date() {
    local name newer sources
    for name in "${names[@]}"; do
        [ -f "$out/$name.wasm" ] || return 1
        case $name in
        fixtures/*) sources=("$here/build.sh" "$here/fixtures/.cargo" "$here/$name") ;;
        *) sources=("$here" -path "$here/fixtures" -prune -o) ;;
        esac
        newer=$(find "${sources[@]}" -newer "$out/$name.wasm" -type f \
            \( -name '*.rs' -o -name '*.toml' -o -name 'Cargo.lock' -o -name 'build.sh' \) -print -quit)
        [ -z "$newer" ] || return 1
    done
}

# Is the target installed in rustup's active toolchain, now or after asking its server?
rustup_has_target() {
    command -v rustup >/dev/null && command -v cargo >/dev/null || return 1
    if (cd "$here" && rustup target list --installed 2>/dev/null) | grep -qx "$target"; then
        return 0
    fi
    say "asking rustup for $target (20 s at most)"
    (cd "$here" && timeout 20 rustup target add "$target" >/dev/null 2>&1)
}

debian_is_installed() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && command -v wasm-ld-22 >/dev/null &&
        [ -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]
}

debian_has_target() {
    debian_is_installed && return 0
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing Debian packages: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null && apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null || return 1
    debian_is_installed
}

# Compiles with the given command; the folders of this machine get fixed names.
compile() {
    local sysroot=$1 cargo_home=${CARGO_HOME:-$HOME/.cargo} folder
    shift
    (cd "$here" && "$1" fetch --locked --quiet)
    # Where several match, the last one counts.
    local flags=(
        "--remap-path-prefix=$here=/canisters"
        "--remap-path-prefix=$cargo_home=/cargo"
        "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rust"
    )
    # Cargo names these folders after the registry or the mirror that it uses.
    for folder in "$cargo_home"/registry/src/*/; do
        flags+=("--remap-path-prefix=${folder%/}=/registry")
    done
    # What else the environment asks for: flags without blanks in them.
    local more
    read -ra more <<<"${CANISTER_RUSTFLAGS:-}"
    flags+=(${more[@]+"${more[@]}"})
    # A path may contain blanks, so the flags are separated by a character that is in none.
    local IFS=$'\x1f'
    export CARGO_ENCODED_RUSTFLAGS="${flags[*]}"
    unset IFS
    local workspace
    for workspace in "$here" ${fixtures:+"$here"/fixtures/*/Cargo.toml}; do
        (cd "${workspace%/Cargo.toml}" &&
            "$@" build --lib --examples --locked --release --quiet --target "$target" --target-dir "$build")
    done
}

if is_up_to_date; then
    say "up to date in $out"
    exit 0
fi

# Modules get the time at which the build began, so that an edit during the build is not overlooked.
started=$SECONDS
stamp=$build/.started
touch "$stamp"
if rustup_has_target; then
    say "building with rustup's toolchain: $(cd "$here" && rustc --version)"
    compile "$(cd "$here" && rustc --print sysroot)" cargo
elif debian_has_target; then
    say "building with Debian's packages and a standard library from source: $(/usr/bin/rustc --version)"
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22
    compile "$(/usr/bin/rustc --print sysroot)" /usr/bin/cargo -Zbuild-std=std,panic_abort
else
    say "no toolchain can build for $target. Run one of these, then try again:"
    say "  rustup target add $target"
    say "  apt-get update && apt-get install --no-install-recommends ${packages[*]}     (as root, Debian)"
    exit 1
fi

# A module that did not change keeps its file; a new one appears all at once.
for name in "${names[@]}"; do
    built=$build/$target/release/${built_as[$name]}
    if ! cmp -s "$built" "$out/$name.wasm"; then
        mkdir -p "$(dirname "$out/$name")"
        install -m 644 "$built" "$out/$name.wasm.$$"
        mv "$out/$name.wasm.$$" "$out/$name.wasm"
    fi
    touch -r "$stamp" "$out/$name.wasm"
done
say "built ${#names[@]} canisters in $((SECONDS - started)) s, in $out"
