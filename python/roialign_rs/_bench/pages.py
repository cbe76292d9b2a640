"""Tables on pages, between markers that name the table: one section for each machine that it was measured on."""

from __future__ import annotations

import re
from pathlib import Path


def write_section(page: Path, table: str, machine: str, section: str, about: str = "") -> None:
    """Replace or add the section of one machine; others stay. ``about`` comes first and holds for all of them."""
    before, block, after = split(page, table)
    _, *parts = re.split(rf"<!-- bench:{table}:machine (.+) -->", block)
    sections = dict(zip(parts[::2], parts[1::2], strict=True)) | {machine: f"**{machine}**\n\n{section}"}
    marked = [f"<!-- bench:{table}:machine {name} -->\n{one.strip()}" for name, one in sections.items()]
    text = "\n\n".join([about, *marked]).strip()
    page.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def split(page: Path, table: str) -> tuple[str, str, str]:
    """Give the page up to a table's start marker, what follows, and the page from the end marker on."""
    start, end = f"<!-- bench:{table}:start -->", f"<!-- bench:{table}:end -->"
    before, opened, rest = page.read_text(encoding="utf-8").partition(start)
    block, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"{page}: add the lines {start} and {end}, in this order, where the table should stand")
    return before + opened, block, closed + after
