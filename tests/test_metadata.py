"""Addresses, descriptions and versions that stand in several files agree."""

import re
import sys
from pathlib import Path

import pytest

import roialign_rs as ra

ROOT = Path(__file__).parent.parent
needs_tomllib = pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")


def toml(name):
    import tomllib

    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def cited(field):
    """A top-level field of CITATION.cff."""
    return re.search(rf"^{field}: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)[1]


@needs_tomllib
def test_addresses_agree():
    urls = toml("pyproject.toml")["project"]["urls"]
    repository = urls["Repository"]
    assert toml("Cargo.toml")["package"]["repository"] == repository
    assert cited("repository-code") == repository
    assert urls["Issues"] == f"{repository}/issues"
    assert urls["Changelog"] == f"{repository}/blob/main/CHANGELOG.md"
    owner, name = repository.removeprefix("https://github.com/").split("/")
    assert urls["Documentation"] == f"https://{owner}.github.io/{name}/"


@needs_tomllib
def test_descriptions_agree():
    package, project = toml("Cargo.toml")["package"], toml("pyproject.toml")["project"]
    assert {field: package[field] for field in ("name", "description", "readme", "license")} == {
        field: project[field] for field in ("name", "description", "readme", "license")
    }


def test_the_version_that_is_cited_is_this_one():
    assert cited("version") == ra.__version__
