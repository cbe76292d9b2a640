#!/bin/sh
# Runs a command that compiles for another target: tools/for_target.sh TARGET COMMAND...
#
# rustup brings the target's standard library. Where rustup cannot download, the command uses Debian's compiler, and
# Cargo compiles the standard library from Debian's copy of its source.
set -eu
target=$1
shift
if rustup target add "$target" 2>/dev/null; then
    exec "$@"
fi
"$(dirname "$0")/need.sh" rustc-web rust-web-src >&2
export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
# Debian's compiler is a stable one; this lets it take the unstable option that compiles the standard library.
export RUSTC_BOOTSTRAP=1
export CARGO_UNSTABLE_BUILD_STD=std,panic_unwind,test

# MinGW programs start and end with two objects, which Cargo does not compile.
objects=$("$RUSTC" --print sysroot)/lib/rustlib/$target/lib
case $target in *-windows-gnu)
    mkdir -p "$objects"
    for object in rsbegin rsend; do
        [ -e "$objects/$object.o" ] || "$RUSTC" --target "$target" --edition 2024 --crate-type rlib \
            -Zforce-unstable-if-unmarked --emit "obj=$objects/$object.o" \
            "$("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library/rtstartup/$object.rs"
    done
    ;;
esac
exec "$@"
