#!/bin/sh
# Builds wheels into dist/ and checks them. Arguments go to `maturin build`.
set -eu
cd "$(dirname "$0")/.."
tools/tree.sh
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
(cd target/dist-tree && maturin build --release --locked --compression-level 9 --out "$built" "$@")
for wheel in "$built"/*.whl; do
    python tools/check_wheel.py "$wheel"
    case $wheel in *-abi3-*) abi3audit --strict --summary "$wheel" ;; esac
done
mkdir -p dist
mv "$built"/*.whl dist
