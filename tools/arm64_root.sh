#!/bin/sh
# Unpacks Debian's Python for arm64, and the libraries it needs, into a new folder: tools/arm64_root.sh FOLDER
#
# Nothing changes outside the folder: apt works on a state of its own, in which no package is installed and the machine's
# architecture is arm64.
set -eu
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"
get() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::Lists="$apt/lists" \
        -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=root "$@"
}
get update
get install --no-install-recommends --download-only --yes python3 libgcc-s1 libstdc++6
rm -rf "$1.part"
mkdir -p "$1.part"
for package in "$apt"/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$1.part"
done
mv "$1.part" "$1"
