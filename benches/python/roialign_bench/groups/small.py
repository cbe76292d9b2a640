"""Calls of microseconds, where arguments and threads cost more than arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roialign_bench.goals import Goal, Measurement, ratios
from roialign_bench.groups.forward import QUOTIENTS, beside_peers
from roialign_bench.session import NAMES, Group, Session
from roialign_rs._bench.problem import Problem

#: What at least, and what better, by row.
BOUNDS = {"s1": (2, 4), "s2": (3, 6), "s3": (4, 8), "s4": (8, 15)}


def measure(session: Session) -> Iterator[Measurement]:
    """As `forward`, without networks: their counters tick in microseconds."""
    for workload in session.rows(tuple(BOUNDS)):
        yield beside_peers(session, workload, Problem.of(workload))


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """One for each row."""
    return [
        Goal(f"small call {row}: fastest peer / ours", bound, aim, ratios(measured, NAMES, "out=", (row,)))
        for row, (bound, aim) in BOUNDS.items()
    ]


GROUP = Group("the same for one to ten boxes, where a call costs microseconds", measure, goals, quotients=QUOTIENTS)
