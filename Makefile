# Everything a developer or CI runs. Needs Rust and Python >= 3.10; the rest goes into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# rustup's default place, for shells that were open before it was installed.
export PATH := $(PATH):$(HOME)/.cargo/bin
# maturin installs here, whatever else is active.
export VIRTUAL_ENV := $(abspath $(VENV))
unexport CONDA_PREFIX
# One Python for maturin, Cargo and clippy: another would rebuild PyO3.
export PYO3_PYTHON := $(abspath $(BIN)/python)

SOURCES := $(shell find src -type f) Cargo.toml Cargo.lock pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo test test-oldest test-no-loader test-torch test-aarch64 test-windows test-slow check check-targets \
	lint audit format notices bench wheel wheels sdist article docs pictures clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Pool boxes of a photograph, print a table, write demo/*.png
	$(BIN)/python demo/demo.py

test: $(VENV)/.test ## Rust and Python tests
	cargo test --locked
	cargo test --locked --features gpu
	$(BIN)/python -m pytest

test-oldest: $(VENV)-oldest/.test ## Python tests with the oldest NumPy that pyproject.toml allows
	$(VENV)-oldest/bin/python -c 'import numpy; assert numpy.__version__ == "$(OLDEST_NUMPY)", numpy.__version__'
	$(VENV)-oldest/bin/python -m pytest

# An empty libvulkan.so.1 comes first on the path and cannot be loaded.
test-no-loader: $(VENV)/.test ## GPU error tests where no Vulkan loader can be loaded
	mkdir -p target/no-loader
	: > target/no-loader/libvulkan.so.1
	! LD_LIBRARY_PATH=$(abspath target/no-loader) $(BIN)/python -c 'import ctypes; ctypes.CDLL("libvulkan.so.1")' 2>/dev/null
	LD_LIBRARY_PATH=$(abspath target/no-loader) ROIALIGN_REQUIRE=cpu $(BIN)/python -m pytest -rs tests/test_gpu_errors.py

test-torch: $(VENV)-torch/.test ## Tests of roialign_rs.torch and .jax and against torchvision, in a venv of their own
	ROIALIGN_REQUIRE=torch,torchvision,jax $(VENV)-torch/bin/python -m pytest tests/test_torch*.py tests/test_jax.py tests/test_stages.py tests/test_multiscale.py tests/test_peers.py python/roialign_rs/torch python/roialign_rs/jax docs/torch.md docs/jax.md

check: lint test ## Lints and tests

lint: $(VENV)/.lint $(BIN)/cargo-deny ## Formatting, lints, types, licences, workflows
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features gpu -- -D warnings
	cargo clippy --locked --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --all-features
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/stubtest roialign_rs._core
	$(BIN)/cargo-deny --log-level error check licenses bans sources
	$(BIN)/python tools/notices.py --check
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet --strict-collection --persona pedantic .github

audit: $(BIN)/cargo-deny ## Known vulnerabilities of the crates (fetches RustSec's list)
	$(BIN)/cargo-deny --log-level error check advisories

format: $(VENV)/.lint ## Format, fix what lints can, fill in what docstrings share
	cargo fmt
	$(BIN)/python tools/docstrings.py
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

notices: $(BIN)/cargo-about ## Write THIRD-PARTY-NOTICES.txt anew, when Cargo.lock has changed
	PATH="$(abspath $(BIN)):$(PATH)" $(BIN)/python tools/notices.py

bench: $(VENV)/.test ## Time us beside other libraries, in groups (BENCH="--group forward --rows 1,3")
	$(BIN)/python benches/python/compare.py $(BENCH)

# Scripts in tools/ use a venv of their own.
TOOLS := VIRTUAL_ENV="$(abspath $(VENV)-wheels)" PYO3_PYTHON="$(abspath $(VENV)-wheels/bin/python)" \
	PATH="$(abspath $(VENV)-wheels/bin):$$PATH" tools
# Options of `maturin build`. On a Mac: make wheel WHEEL=
MANYLINUX := --zig --compatibility manylinux_2_28 --target
WHEEL ?= $(MANYLINUX) $(shell uname -m)-unknown-linux-gnu

wheel: $(VENV)-wheels/.created ## Wheel for this machine in dist/, checked, installed and run
	$(TOOLS)/wheel.sh $(WHEEL)
	$(TOOLS)/try_wheel.sh "$$(ls -t dist/*.whl | head -1)"

sdist: $(VENV)-wheels/.created ## Source distribution in dist/, checked, built and tested
	$(TOOLS)/sdist.sh

wheels: wheel sdist ## The above, and the Linux wheel for 64-bit ARM, tested under qemu
	$(TOOLS)/for_target.sh aarch64-unknown-linux-gnu tools/wheel.sh $(MANYLINUX) aarch64-unknown-linux-gnu
	$(TOOLS)/try_wheel_aarch64.sh dist/*-abi3-manylinux_2_28_aarch64.whl

check-targets: $(VENV)-wheels/.created ## Type-check for macOS and Windows
	$(TOOLS)/check_targets.sh

test-aarch64: $(VENV)-wheels/.created ## Rust tests for 64-bit ARM, under qemu
	$(TOOLS)/test_aarch64.sh

test-windows: $(VENV)-wheels/.created ## Rust tests for Windows, under Wine
	$(TOOLS)/test_windows.sh

test-slow: wheels check-targets test-aarch64 test-windows ## All that is too slow for CI

article: $(VENV)/.demo ## Write docs/article.md and its pictures anew
	$(BIN)/python docs/make_article.py

docs: $(VENV)/.demo $(VENV)-docs/.created ## The site, in dist/docs/index.html
	rm -rf dist/docs docs/reference/generated
	$(VENV)-docs/bin/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env --doctree-dir target/doctrees docs dist/docs
	$(VENV)-docs/bin/python docs/check_site.py

pictures: $(VENV)/.demo ## Draw the pictures of the README and of the operators' pages anew
	$(BIN)/python docs/make_pictures.py

clean: ## Remove what was built or downloaded here
	cargo clean
	rm -rf $(VENV) $(VENV)-docs $(VENV)-oldest $(VENV)-torch $(VENV)-wheels dist python/roialign_rs/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first pip that installs dependency groups.
PIP := 'pip>=25.1'

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'Python 3.10 or newer is needed: make PYTHON=/path/to/python3 ...'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade $(PIP) 'maturin>=1.9.4,<2'
	touch $@

# The extension in release mode, importable from python/, with what dependency groups of pyproject.toml list.
$(VENV)/.demo: $(VENV)/.created $(SOURCES)
	$(BIN)/maturin develop --release --locked --group demo
	touch $@

$(VENV)/.test: $(VENV)/.created $(SOURCES)
	$(BIN)/maturin develop --release --locked --group test
	touch $@

# The oldest NumPy, and the newest of what the tests need that works with it. Python 3.12 has no wheels of these.
OLDEST_NUMPY := $(shell sed -n 's/.*"numpy>=\([0-9.]*\)".*/\1/p' pyproject.toml)
OLDEST := numpy==$(OLDEST_NUMPY) matplotlib==3.8.4 ml_dtypes==0.4.1 onnx==1.16.2 onnxruntime==1.18.1 \
	pyparsing==3.1.4 python-dateutil==2.9.0

$(VENV)-oldest/.test: $(VENV)/.created $(SOURCES) Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || \
		{ echo 'NumPy $(OLDEST_NUMPY) needs Python 3.10 or 3.11: make PYTHON=/path/to/python3.11 test-oldest'; exit 1; }
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --upgrade $(PIP)
	$(VENV)-oldest/bin/python -m pip install --quiet --only-binary :all: $(OLDEST)
	VIRTUAL_ENV=$(abspath $(VENV)-oldest) $(BIN)/maturin develop --release --locked --group test
	touch $@

# PyTorch and JAX are gigabytes, so that other tests do without them.
$(VENV)-torch/.test: $(VENV)/.created $(SOURCES)
	$(PYTHON) -m venv $(VENV)-torch
	$(VENV)-torch/bin/python -m pip install --quiet --upgrade $(PIP)
	VIRTUAL_ENV=$(abspath $(VENV)-torch) $(BIN)/maturin develop --release --locked --extras torch,jax --group test
	touch $@

$(VENV)-docs/.created: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Sphinx 9 needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 docs'; exit 1; }
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --quiet --upgrade $(PIP)
	$(VENV)-docs/bin/python -m pip install --quiet --group docs
	touch $@

$(VENV)-wheels/.created: pyproject.toml
	$(PYTHON) -m venv $(VENV)-wheels
	$(VENV)-wheels/bin/python -m pip install --quiet --upgrade $(PIP)
	$(VENV)-wheels/bin/python -m pip install --quiet --group wheels
	touch $@

$(VENV)/.lint: $(VENV)/.created $(SOURCES)
	$(BIN)/maturin develop --release --locked --group lint,test
	touch $@

# Nothing prebuilt can be installed. Without optimisation it compiles in half the time, and is fast enough.
$(BIN)/cargo-deny: | $(VENV)/.created
	CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root $(VENV) cargo-deny@0.20.2

$(BIN)/cargo-about: | $(VENV)/.created
	cargo install --quiet --locked --features cli --root $(VENV) cargo-about@0.9.3
