"""Runs the Python examples of the pages, and leaves out what needs a framework that is not installed.

The tests in ``tests/`` say aloud which framework is missing. On a page, ``<!--- skip: next -->`` before an example that
cannot run here, such as one that needs a file of the reader's, leaves it out; code hosts and the site hide it.
"""

import doctest
import importlib.util
import os

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

import roialign_rs as ra

FRAMEWORKS = ("jax", "torch")

collect_ignore = [
    path
    for name in FRAMEWORKS
    if importlib.util.find_spec(name) is None
    for path in (f"python/roialign_rs/{name}", f"docs/{name}.md")
]


@pytest.fixture
def needs_of_the_page(request, monkeypatch):
    """On the page about GPUs a driver that computes on the CPU will do; without any its examples are skipped."""
    if request.path.name != "gpu.md":
        return
    if not ra.gpu.devices() and "gpu" not in os.environ.get("ROIALIGN_REQUIRE", "").split(","):
        pytest.skip("no gpu here")
    monkeypatch.setitem(ra.gpu.Device.__init__.__kwdefaults__, "allow_cpu", True)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    excludes=["docs/article.md"],  # what it prints is in test_article.py's care
    fixtures=["needs_of_the_page"],
).pytest()
