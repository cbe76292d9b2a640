"""What was measured and where, as tables and for machines to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from roialign_bench.goals import Goal, Measurement
from roialign_bench.session import Group
from roialign_rs._bench.table import markdown

#: From seconds or bytes to a unit.
FACTORS = {"ms": 1e3, "MiB": 1 / (1 << 20)}


def values(measured: Sequence[Measurement], group: Group) -> str:
    """Everything that a group measured, and its quotients."""
    names = list(dict.fromkeys(name for m in measured for name in m.values))
    quotients = [q for q in group.quotients if any(m.ratio(q.over, q.under) for m in measured)]
    factor = FACTORS[group.unit]
    lines = []
    for m in measured:
        cells = [_number(m.values[name] * factor) if name in m.values else "" for name in names]
        found = [m.ratio(q.over, q.under) for q in quotients]
        lines.append([f"{m.row} {m.summary}", *cells, *("" if ratio is None else f"{ratio:.1f}" for ratio in found)])
    header = [f"workload ({group.unit})", *names, *(q.heading for q in quotients)]
    return markdown(header, lines)


def verdicts(goals: Sequence[Goal]) -> str:
    """What should hold, and whether it does."""
    return markdown(["what", "at least", "aim", "measured, by row", ""], [goal.cells() for goal in goals])


def as_json(
    measured: Mapping[str, Sequence[Measurement]], goals: Mapping[str, Sequence[Goal]], where: str
) -> dict[str, Any]:
    """Everything, in seconds and bytes."""
    groups = {
        name: {
            "rows": [asdict(measurement) for measurement in rows],
            "goals": [{**asdict(goal), "verdict": goal.verdict} for goal in goals[name]],
        }
        for name, rows in measured.items()
    }
    return {"environment": where, "groups": groups}


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
