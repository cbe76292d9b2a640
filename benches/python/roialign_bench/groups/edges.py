"""Shapes that are hard to cut into tasks: one box, very many, few channels, one image of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from roialign_bench.goals import Measurement
from roialign_bench.groups.forward import QUOTIENTS, beside_peers
from roialign_bench.session import Group, Session
from roialign_rs._bench.problem import Problem

ROWS = ("e1", "e2", "e3", "e4", "e5")


def measure(session: Session) -> Iterator[Measurement]:
    """As `forward`."""
    for workload in session.rows(ROWS):
        yield beside_peers(session, workload, Problem.of(workload))


GROUP = Group(
    "the same for shapes that are hard to cut: one box, very many, few channels, one image of a batch",
    measure,
    lambda measured: [],
    quotients=QUOTIENTS,
)
