"""What was measured, where, and the table that says so."""

from __future__ import annotations

import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

START, END = "<!-- bench:start -->", "<!-- bench:end -->"


@dataclass(frozen=True)
class Result:
    """One row of the table; times in seconds."""

    id: str
    name: str
    summary: str
    #: Into an array given as ``out=``.
    out: float
    #: A loop of calls that each return a new array.
    fresh: float
    copy_floor: float
    peers: dict[str, float]

    @property
    def fastest_peer(self) -> float | None:
        return min(self.peers.values(), default=None)


def environment(threads: int, versions: dict[str, str]) -> dict[str, Any]:
    """Where the numbers come from."""
    versions = {**versions, "numpy": np.__version__, "python": platform.python_version()}
    return {
        "cpu": cpu_model(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def cpu_model() -> str:
    """The processor's name, as far as the system tells."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match[1] if match else platform.machine()


def as_json(results: list[Result], where: dict[str, Any]) -> dict[str, Any]:
    """Everything, for a machine to read."""
    return {"environment": where, "results": [asdict(result) for result in results]}


def markdown(results: list[Result], where: dict[str, Any]) -> str:
    """The table, with the line that names machine and versions."""
    peers = sorted({name for result in results for name in result.peers})
    header = ["", "N,C,H,W; boxes; bins; sampling", "`out=`", "fresh", *peers]
    header += ["fastest peer / ours", "ours / copy floor"]
    lines = [header, ["---"] * 2 + ["---:"] * (len(header) - 2)]
    for result in results:
        times = [result.out, result.fresh, *(result.peers.get(name) for name in peers)]
        fastest = result.fastest_peer
        ratio = "" if fastest is None else f"{fastest / result.out:.1f}"
        floor = f"{result.out / result.copy_floor:.2f}"
        lines.append([result.id, result.summary, *map(milliseconds, times), ratio, floor])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    return (
        f"{table}\n\nMedian times in milliseconds, float32, {where['threads']} threads; "
        f"{where['cpu']}, {where['system']}; {versions}."
    )


def milliseconds(seconds: float | None) -> str:
    """Three digits that count."""
    if seconds is None:
        return ""
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def write_between_markers(page: Path, table: str) -> None:
    """Replace what stands between the markers of a page."""
    before, rest = page.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    page.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")
