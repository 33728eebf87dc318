#!/usr/bin/env bash
# Downloads the PocketIC server and names it in POCKET_IC_BIN for the steps that follow. Where that is not possible it
# warns, so that only what needs the server is left out.
set -euo pipefail

version=16.1.0
case $(uname -s)-$(uname -m) in
Linux-x86_64) platform=x86_64-linux ;;
Linux-aarch64) platform=arm64-linux ;;
Darwin-x86_64) platform=x86_64-darwin ;;
Darwin-arm64) platform=arm64-darwin ;;
*) echo "::warning::there is no PocketIC server for this runner" && exit 0 ;;
esac

bin=$RUNNER_TEMP/pocket-ic
url=https://github.com/dfinity/pocketic/releases/download/$version/pocket-ic-$platform.gz
if curl --fail --silent --show-error --location --retry 3 "$url" | gunzip >"$bin" && chmod +x "$bin" && "$bin" --version; then
    echo "POCKET_IC_BIN=$bin" >>"$GITHUB_ENV"
else
    echo "::warning::no PocketIC server $version from $url"
fi
