"""Copies what docstrings share from docstrings.txt into each of them: ``make format`` runs it, a test checks it.

Docstrings are literal text in the source, because editors show that on hover without running it. A new docstring needs
the first words of what is shared alone, such as ``boxes :``. Text for which no pattern has an entry stays as it is.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

SHARED = Path(__file__).with_suffix(".txt")
PACKAGE = Path(__file__).parent.parent / "python" / "roialign_rs"
WIDTH = 120

Entries = dict[str, tuple[str, str]]
"""Header and text, by key."""


def key(header: str) -> str:
    """Return what a header is found by: the name of an argument, or all of it."""
    return header.split(" :")[0]


def load() -> list[tuple[str, Entries]]:
    """Read the table: (pattern, entries) in its order."""
    table: list[tuple[str, Entries]] = []
    for section in re.split(r"^\[", SHARED.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        pattern, _, body = section.partition("]\n")
        found = re.findall(r"^(\S.*)\n((?:    .*\n)+)", body, re.MULTILINE)
        table.append((pattern, {key(header): (header, " ".join(text.split())) for header, text in found}))
    return table


def documented(tree: ast.Module, module: str) -> Iterator[tuple[str, ast.expr]]:
    """Find the docstrings of functions, classes and methods, with their names."""

    def within(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.expr]]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                name = f"{prefix}{node.name}"
                if isinstance(node.body[0], ast.Expr) and ast.get_docstring(node):
                    yield name, node.body[0].value
                if isinstance(node, ast.ClassDef):
                    yield from within(node.body, f"{name}.")

    return within(tree.body, module)


def filled(lines: list[str], entries: Entries) -> list[str]:
    """Replace the entries of one docstring, whose lines are given as they stand in the source."""
    indent = len(lines[-1]) - len(lines[-1].lstrip())
    margin, deeper = " " * indent, " " * (indent + 4)
    result: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        words = line.strip()
        shared = entries.get(key(words)) if line.startswith(margin) and not line.startswith(deeper) else None
        start = " ".join(words.split()[:3])
        paragraph = entries.get(start, ("", ""))[1]
        if start and paragraph.startswith(start) and not result[-1].strip(" -"):
            while lines[at].strip() not in ("", '"""'):
                at += 1
            result += wrapped(paragraph, margin)
        elif shared:
            while lines[at].startswith(deeper):
                at += 1
            result += [margin + shared[0], *wrapped(shared[1], deeper)]
        else:
            result.append(line)
    return result


def wrapped(text: str, indent: str) -> list[str]:
    """Break a text into lines."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def up_to_date(path: Path, table: list[tuple[str, Entries]]) -> str:
    """Return the text of a file as it should be."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    parents = path.relative_to(PACKAGE).parts[:-1]
    # From the last one on, so that the lines of those before stay where they are.
    for name, node in reversed(list(documented(ast.parse(text), "".join(f"{parent}." for parent in parents)))):
        entries: Entries = {}
        for pattern, some in table:
            if fnmatchcase(name, pattern):
                entries |= some
        first, last = node.lineno - 1, node.end_lineno or node.lineno
        if last - first > 1:
            lines[first:last] = filled(lines[first:last], entries)
    return "\n".join(lines) + "\n"


def outdated() -> Iterator[tuple[Path, str]]:
    """Find the files whose docstrings differ from the table, with what they should be."""
    table = load()
    for path in sorted(PACKAGE.rglob("*.py")):
        text = up_to_date(path, table)
        if text != path.read_text(encoding="utf-8"):
            yield path, text


def main() -> None:
    """Rewrite the files; with ``--check`` name them."""
    found = list(outdated())
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(f"{path}: differs from {SHARED}" for path, _ in found) or None)
    for path, text in found:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
