"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import roialign_rs as ra
from roialign_rs._bench import machine, pages, table
from roialign_rs._bench.compare import COMPARED, COPY, OURS, Comparison, compare, title
from roialign_rs._bench.peers import PACKAGES, Peer, installed
from roialign_rs._bench.problem import Operator
from roialign_rs._bench.workloads import Workload, load

Problems = list[tuple[Workload, Operator]]
MARKER = "operators"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.description = (
        "Time the operators beside the libraries that are installed: onnxruntime, openvino, torchvision. All get the "
        "same arrays and as many threads, results are compared first, and calls take turns. This takes some minutes; "
        "the machine should do nothing else meanwhile."
    )
    add = parser.add_argument
    add("--rows", metavar="IDS", help="numbers of workloads, such as 1,5 (default: a selection)")
    add("--repeats", type=int, default=7, metavar="N", help="rounds, of which the median counts (%(default)s)")
    add("--threads", type=int, metavar="N", help="threads of each library (default: as roialign_rs would use)")
    add("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    add("--page", type=Path, metavar="FILE", help=f"write the table between a page's bench:{MARKER} markers")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print, write."""
    problems = choose(arguments.rows)
    if arguments.page:
        pages.split(arguments.page, MARKER)  # no minutes are spent for a page without markers
    threads = ra.get_num_threads() if arguments.threads is None else arguments.threads
    if min(threads, arguments.repeats) < 1:
        raise ValueError(f"--threads and --repeats must be at least 1, got {threads} and {arguments.repeats}")
    ra.set_num_threads(threads)
    peers, missing = installed(threads)
    where, software = machine.name(threads), machine.software({peer.name: peer.version for peer in peers})
    print(f"{where}\n{software}\n")
    for name, reason in missing.items():
        print(f"Not compared: {name} ({reason}). To compare with it: pip install {PACKAGES[name]}\n")
    header = ["workload (ms)", OURS, *(peer.name for peer in peers), COPY]
    found = measure(problems, peers, arguments.repeats, header)
    rows = {row.id: f"* {row.id} {row.label}: {row.details}." for row, _ in problems}
    about, summary = "\n".join([table.HEADINGS, "", *rows.values()]), table.summary(found)
    print(f"\n{about}\n\n{summary}")
    if arguments.json:
        numbers = {"machine": where, "software": software, "rows": [asdict(one) for one in found]}
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    if arguments.page:
        text = table.markdown(header, [table.row(one, header) for one in found])
        text += f"\n\n{summary}\n\nMedians of {arguments.repeats} rounds; {software}."
        pages.write_section(arguments.page, MARKER, where, text, about)


def choose(rows: str | None) -> Problems:
    """Rows that are asked for, with every operator; or the first ones, most of them with roi_align alone."""
    workloads = {row.id: row for row in load()}
    ids = ["1", "2", "3", "4", "5", "6"] if rows is None else rows.split(",")
    if unknown := [name for name in ids if name not in workloads]:
        raise ValueError(f"--rows: no row {', '.join(unknown)}; there are {', '.join(workloads)}")
    return [(workloads[name], op) for op in COMPARED for name in ids if rows or op == "avg" or name in ("1", "5")]


def measure(problems: Problems, peers: list[Peer], repeats: int, header: list[str]) -> list[Comparison]:
    """Measure everything, and print each line of the table when it is known."""
    widths = [max(len(title(row, op)) for row, op in problems), *(max(len(name), 11) for name in header[1:])]
    print(table.head(header, widths), flush=True)
    found = []
    for row, op in problems:
        found.append(compare(row, op, peers, repeats))
        print(table.line(table.row(found[-1], header), widths), flush=True)
    return found
