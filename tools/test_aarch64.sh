#!/bin/sh
# Runs the Rust tests for 64-bit ARM under qemu.
set -eu
cd "$(dirname "$0")/.."
tools/need.sh qemu-user
root=$PWD/target/arm64-root
[ -d "$root" ] || tools/arm64_root.sh "$root"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L $root"
tools/for_target.sh aarch64-unknown-linux-gnu \
    cargo-zigbuild test --locked --features gpu --target aarch64-unknown-linux-gnu
