#!/bin/sh
# Installs a wheel into an empty environment outside the repository, and runs the examples of the README there:
# tools/try_wheel.sh WHEEL
set -eu
wheel=$(realpath "$1")
readme=$(realpath "$(dirname "$0")/../README.md")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python -m venv "$folder/venv"
cd "$folder"
venv/bin/python -m pip install --quiet --only-binary :all: "$wheel"
venv/bin/python -m pip freeze
venv/bin/python -m roialign_rs --help
venv/bin/python - "$readme" <<'END'
import doctest, sys

flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
result = doctest.testfile(sys.argv[1], module_relative=False, optionflags=flags)
print(f"README.md: {result}")
sys.exit(result.failed > 0 or result.attempted == 0)
END
