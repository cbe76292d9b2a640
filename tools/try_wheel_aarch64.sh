#!/bin/sh
# Runs a wheel for 64-bit ARM under qemu, in Debian's Python: the operators against their definitions.
# tools/try_wheel_aarch64.sh WHEEL
set -eu
wheel=$(realpath "$1")
cd "$(dirname "$0")/.."
tools/need.sh qemu-user
root=$PWD/target/arm64-root
[ -d "$root" ] || tools/arm64_root.sh "$root"
emulated() { qemu-aarch64 -L "$root" "$root/usr/bin/python3" "$@"; }

packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
version=$(emulated -c 'import sys; print("%d.%d" % sys.version_info[:2])')
python -m pip install --quiet --target "$packages" --only-binary :all: --implementation cp --python-version "$version" \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
    --platform manylinux2014_aarch64 --group test-without-peers "$wheel"
export PYTHONPATH="$packages"
emulated -c 'import platform, roialign_rs; print(platform.machine(), roialign_rs.simd_level())'
# Emulation is some ten times slower: half of the random cases, and no limit of time for a test.
emulated -m pytest -p no:cacheprovider --timeout 0 --durations 5 tests/test_parity.py \
    -k "not gpu and (not random_cases or -0] or 000] or 500])"
