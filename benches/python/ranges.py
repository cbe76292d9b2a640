"""Put what several machines measured into one table of ranges, between the ``bench:ranges`` markers of a page.

    python -m roialign_rs bench --json docs/measured/xeon.json      on each machine
    python benches/python/ranges.py docs/measured/*.json --page README.md

The page names the machines; what each of them measured stands in the files.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from roialign_rs._bench import pages
from roialign_rs._bench.table import markdown, milliseconds, times

HEADER = ("workload (ms)", "roialign_rs", "fastest other library", "times as fast", "copy")
HEADINGS = """\
* workload: number, operator, and what it pools. A box, mask or C4 head is the part of a detector that uses the result;
  "adaptive" takes as many samples in a bin as it has cells.
* roialign_rs, fastest other library: milliseconds of a call from NumPy array to NumPy array, here and in the fastest of
  the other libraries that were compared; of several machines, the lowest and the highest.
* times as fast: as that library, on the same machine.
* copy: milliseconds of one `np.copyto` that reads and writes as many bytes together as features and result have."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="JSON", help="written by python -m roialign_rs bench --json"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table between this page's markers")
    options = parser.parse_args()
    machines = [json.loads(path.read_text(encoding="utf-8")) for path in options.files]
    text = ranges(machines)
    print(text)
    if options.page:
        before, _, after = pages.split(options.page, "ranges")
        options.page.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def ranges(machines: Sequence[dict[str, Any]]) -> str:
    """The table, its headings and the machines."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for machine in machines:
        for row in machine["rows"]:
            if row["others"]:
                rows.setdefault(row["title"], []).append(row)
    table = markdown(HEADER, [[title, *cells(found)] for title, found in rows.items()])
    names = "\n".join(f"* {machine['machine']}: {machine['software']}." for machine in machines)
    return f"{table}\n\n{HEADINGS}\n\nMeasured on:\n\n{names}"


def cells(found: Sequence[dict[str, Any]]) -> list[str]:
    """Ranges of one workload over machines."""
    names = dict.fromkeys(min(row["others"], key=row["others"].get) for row in found)

    def span(form: Callable[[float], str], value: Callable[[dict[str, Any]], float | None]) -> str:
        values = [one for one in map(value, found) if one is not None]  # a copy may not have been timed
        return " - ".join(dict.fromkeys((form(min(values)), form(max(values)))))

    return [
        span(milliseconds, lambda row: row["ours"]),
        f"{span(milliseconds, lambda row: min(row['others'].values()))} ({', '.join(names)})",
        span(times, lambda row: min(row["others"].values()) / row["ours"]),
        span(milliseconds, lambda row: row["copy"]),
    ]


if __name__ == "__main__":
    main()
