#!/bin/sh
# Installs the Debian packages named by the arguments, if they are missing. Without root it prints the command instead.
set -eu
missing=""
for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "This needs Debian's packages, so run first: apt-get install$missing" >&2
    exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086 # one word is one package
DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $missing
