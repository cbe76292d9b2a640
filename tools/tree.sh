#!/bin/sh
# Copies what git tracks to target/dist-tree, from which wheels and source distribution are built. Links of its README
# are absolute. Times of change are kept, so that Cargo compiles again only what changed.
set -eu
cd "$(dirname "$0")/.."
tree=target/dist-tree
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z | tar -c --null -T - | tar -x -C "$tree"
python tools/absolute_links.py "$tree/README.md"
