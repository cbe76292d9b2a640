#!/bin/sh
# Runs the Rust tests for Windows under Wine.
set -eu
cd "$(dirname "$0")/.."
tools/need.sh gcc-mingw-w64-x86-64-posix wine64
folder=$PWD/target/wine
mkdir -p "$folder"
x86_64-w64-mingw32-gcc -shared -o "$folder/bcryptprimitives.dll" tools/bcryptprimitives.c -ladvapi32

export WINEPREFIX="$folder/prefix" WINEDEBUG=-all WINEPATH="$folder" # WINEPATH: where programs look for DLLs
wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="$wine"
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
tools/for_target.sh x86_64-pc-windows-gnu cargo test --locked --features gpu --target x86_64-pc-windows-gnu
