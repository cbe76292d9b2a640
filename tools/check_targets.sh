#!/bin/sh
# Type-checks the extension for macOS and Windows. Nothing is linked, so that no foreign linker or Python is needed.
set -eu
cd "$(dirname "$0")/.."
for target in aarch64-apple-darwin x86_64-pc-windows-gnu; do
    tools/for_target.sh "$target" cargo check --locked --features python --target "$target"
done
