"""What was measured and where, as tables and for machines to read."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import roialign_rs as ra
from roialign_rs._bench.goals import Goal, Measurement
from roialign_rs._bench.session import Group

START, END = "<!-- bench:start -->", "<!-- bench:end -->"

#: From seconds or bytes to a unit.
FACTORS = {"ms": 1e3, "MiB": 1 / (1 << 20)}


def environment(threads: int, versions: Mapping[str, str]) -> dict[str, Any]:
    """Where the numbers come from."""
    return {
        "cpu": cpu_model(),
        "level": ra.simd_level(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {**versions, "numpy": np.__version__, "python": platform.python_version()},
    }


def cpu_model() -> str:
    """The processor's name, as far as the system tells."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match[1] if match else platform.machine()


def caption(where: Mapping[str, Any]) -> str:
    """The line below a table that names machine and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    return f"{where['threads']} threads; {where['cpu']} ({where['level']}), {where['system']}; {versions}."


def values(measured: Sequence[Measurement], group: Group) -> str:
    """Everything that a group measured, and its quotients."""
    names = list(dict.fromkeys(name for m in measured for name in m.values))
    quotients = [q for q in group.quotients if any(m.ratio(q.over, q.under) for m in measured)]
    factor = FACTORS[group.unit]
    lines = []
    for m in measured:
        cells = [number(m.values[name] * factor) if name in m.values else "" for name in names]
        found = [m.ratio(q.over, q.under) for q in quotients]
        lines.append([m.row, m.summary, *cells, *("" if ratio is None else f"{ratio:.1f}" for ratio in found)])
    header = ["", f"N,C,H,W; boxes; bins; sampling ({group.unit})", *names, *(q.heading for q in quotients)]
    return table(header, lines)


def verdicts(goals: Sequence[Goal]) -> str:
    """What should hold, and whether it does."""
    return table(["what", "at least", "aim", "measured, by row", ""], [goal.cells() for goal in goals], left=5)


def table(header: Sequence[str], lines: Sequence[Sequence[str]], left: int = 2) -> str:
    """A Markdown table; columns after the first ones are numbers."""
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def as_json(
    measured: Mapping[str, Sequence[Measurement]], goals: Mapping[str, Sequence[Goal]], where: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything, in seconds and bytes."""
    groups = {
        name: {
            "rows": [asdict(measurement) for measurement in rows],
            "goals": [{**asdict(goal), "verdict": goal.verdict} for goal in goals[name]],
        }
        for name, rows in measured.items()
    }
    return {"environment": dict(where), "groups": groups}


def write_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the markers of a page."""
    before, rest = path.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    path.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")
