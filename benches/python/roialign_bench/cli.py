"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import roialign_rs as ra
from roialign_bench import report
from roialign_bench.goals import Goal, Measurement
from roialign_bench.groups import ALIASES, GROUPS
from roialign_bench.session import Session
from roialign_rs._bench import machine, pages, workloads

WITH_PAGES = ", ".join(name for name, group in GROUPS.items() if group.page)
"""Groups that have a table for pages."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmarks."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Time roi_align and its family on this machine, beside the libraries that are installed (onnxruntime with onnx,\n"
        "openvino, torchvision). All run in one process, on the same arrays, with as many threads, in turns; every\n"
        "result is compared before anything is timed."
    )
    groups = "\n".join(f"  {name:<10} {group.about}" for name, group in GROUPS.items())
    aliases = "\n".join(f"  {name:<10} {', '.join(members)}" for name, members in ALIASES.items())
    rows = "\n".join(f"  {row.id:<10} {row.label}; {row.details}" for row in workloads.load())
    parser.epilog = (
        f"groups:\n{groups}\n{aliases}\n\nrows:\n{rows}\n\n"
        "A group measures only the rows that belong to it. Numbers mean something on a machine that does nothing else."
    )
    add = parser.add_argument
    add("--group", default="forward,small", metavar="NAMES", help="with commas between (default: %(default)s)")
    add("--rows", metavar="IDS", help="rows of the table, with commas between (default: all of a group)")
    add(
        "--repeats", type=int, default=15, metavar="N", help="rounds, of which the median counts (default: %(default)s)"
    )
    add("--threads", type=int, metavar="N", help="for every library (default: as many as roialign_rs would use)")
    add("--goals", action="store_true", help="hold the numbers against what they should be on 2 threads")
    add("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    add(
        "--page", type=Path, metavar="FILE", help=f"write the tables of groups {WITH_PAGES} between this page's markers"
    )


def run(arguments: argparse.Namespace) -> None:
    """Measure, print, write.

    Raises
    ------
    ValueError
        For a name that does not exist, and for a result that is not what it should be.
    """
    names = group_names(arguments.group)
    for name in names if arguments.page else ():
        if (page := GROUPS[name].page) is None:
            raise ValueError(f"--page: group {name} has no table for pages; there are {WITH_PAGES}")
        pages.split(arguments.page, page.marker)  # no minutes are spent for a page without markers
    if arguments.repeats < 1:
        raise ValueError(f"--repeats must be at least 1, got {arguments.repeats}")
    threads = ra.get_num_threads() if arguments.threads is None else arguments.threads
    ra.set_num_threads(threads)
    session = Session(threads, arguments.repeats, row_ids(arguments.rows))
    where, software = machine.name(threads), machine.software(session.versions())
    print(f"{where}\n{software}", flush=True)
    measured: dict[str, list[Measurement]] = {}
    goals: dict[str, list[Goal]] = {}
    for name in names:
        measured[name] = measure(name, session)
        goals[name] = GROUPS[name].goals(measured[name]) if measured[name] else []
    if arguments.goals:
        everything = [goal for found in goals.values() for goal in found]
        print(f"\n{report.verdicts(everything)}\n\n{where}\n{software}")
    if arguments.json:
        text = json.dumps(report.as_json(measured, goals, f"{where}; {software}"), indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    for name in names if arguments.page else ():
        page = GROUPS[name].page
        assert page
        text = f"{page.table(measured[name])}\n\nMedians of {arguments.repeats} rounds; {software}."
        pages.write_section(arguments.page, page.marker, where, text, page.headings)


def measure(name: str, session: Session) -> list[Measurement]:
    """Measure one group and print its table."""
    group = GROUPS[name]
    print(f"\n{name}: {group.about}")
    measured = []
    for measurement in group.measure(session):
        measured.append(measurement)
        print(f"  row {measurement.row}", flush=True)
    if measured:
        print(f"\n{report.values(measured, group)}", flush=True)
    return measured


def group_names(text: str) -> list[str]:
    """Groups asked for, in the order in which they are run."""
    asked = {name for part in text.split(",") for name in ALIASES.get(part, (part,))}
    if unknown := asked - set(GROUPS):
        raise ValueError(f"no such group: {', '.join(sorted(unknown))}")
    return [name for name in GROUPS if name in asked]


def row_ids(text: str | None) -> frozenset[str] | None:
    """Rows asked for."""
    if text is None:
        return None
    ids = frozenset(text.split(","))
    if unknown := ids - {workload.id for workload in workloads.load()}:
        raise ValueError(f"no such row: {', '.join(sorted(unknown))}")
    return ids
