"""The pages name everything that is public. Whether their links lead somewhere is checked by ``make docs``."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from roialign_rs.__main__ import COMMANDS

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
PACKAGE = ROOT / "python" / "roialign_rs"

pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the source distribution has no docs")


def public_names(file: str) -> set[str]:
    """Read ``__all__`` without an import, which would need frameworks."""
    for statement in ast.parse((PACKAGE / file).read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return set(ast.literal_eval(statement.value))
    raise AssertionError(f"{file} has no __all__")


def documented_names(page: str) -> set[str]:
    """Read the lines of the tables from which Sphinx makes a page for each name."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    tables = re.findall(r"\.\. autosummary::\n((?:   .*\n|\n)*)", text)
    return {line.strip() for table in tables for line in table.splitlines() if re.fullmatch(r"   \w+", line)}


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("index.md", "__init__.py"),
        ("gpu.md", "gpu.py"),
        ("torch.md", "torch/__init__.py"),
        ("jax.md", "jax/__init__.py"),
    ],
)
def test_the_reference_has_every_public_name(page, file):
    # A module has its own page; Sphinx makes none for a string.
    assert documented_names(page) == public_names(file) - {"gpu", "__version__"}


def test_every_module_with_public_names_has_a_page():
    public = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("_") and path.suffix in ("", ".py")}
    index = (REFERENCE / "index.md").read_text(encoding="utf-8")
    assert public == {"gpu", "torch", "jax"}
    assert all(re.search(rf"^{name}$", index, re.MULTILINE) for name in public)
    assert "data:: __version__" in index


def test_the_reference_has_every_command():
    page = (REFERENCE / "command_line.md").read_text(encoding="utf-8")
    names = [add.__name__.removeprefix("add_") for add in COMMANDS]
    assert re.findall(r"roialign_rs (\w+) --help", page) == names


def test_the_reference_has_every_environment_variable():
    page = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    code = [*(ROOT / "src").rglob("*.rs"), *PACKAGE.rglob("*.py")]
    used = {name for path in code for name in re.findall(r"\bROIALIGN_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    assert set(re.findall(r"^\| `(ROIALIGN_[A-Z_]+)`", page, re.MULTILINE)) == used


def test_the_index_leads_to_every_page():
    """Sphinx warns of pages that no table of contents has; this fails before anything is built."""
    lines = set((ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines())
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").glob("*.md")}
    pages |= {f"operators/{path.stem}" for path in (ROOT / "docs" / "operators").glob("*.md")}
    assert pages - {"index"} <= lines


def test_docstrings_agree_in_what_they_share():
    tool = ROOT / "tools" / "docstrings.py"
    found = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"run `make format`; what is shared stands in tools/docstrings.txt\n{found.stderr}"


def test_the_tour_stops_at_symbols_that_exist():
    tour = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("### A tour", 1)[1].split("\n## ", 1)[0]
    stops = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", tour, re.MULTILINE)
    assert len(stops) > 10
    for file, symbol in stops:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"{re.escape(symbol)}\b", text), f"{symbol!r} is not in {file}"
