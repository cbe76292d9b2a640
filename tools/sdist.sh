#!/bin/sh
# Builds the source distribution into dist/, then builds and tests what it holds, in an empty folder.
set -eu
cd "$(dirname "$0")/.."
repository=$PWD
tools/tree.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd target/dist-tree && maturin sdist --out "$folder")
mkdir "$folder/unpacked"
# All files of the archive have one time. Cargo compares times, so that it would take the build of an older archive.
tar -xzmf "$folder"/*.tar.gz -C "$folder/unpacked" --strip-components=1

# Every tracked file must be there, and PKG-INFO; of files for git and CI it does not matter.
git ls-files | grep -v '^\.' | sort >"$folder/expected"
(cd "$folder/unpacked" && find . -type f | sed 's,^\./,,' | grep -v -e '^\.' -e '^PKG-INFO$' | sort) >"$folder/found"
diff "$folder/expected" "$folder/found"

# Compiled with less optimization, which is faster: the wheels have tested that. Dependencies are compiled once.
export CARGO_TARGET_DIR="$repository/target/sdist"
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2
(cd "$folder/unpacked" && unset VIRTUAL_ENV PYO3_PYTHON && make test)
mkdir -p dist
mv "$folder"/*.tar.gz dist
