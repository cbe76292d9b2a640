"""More threads: two, and more than there are cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import roialign_rs as ra
from roialign_bench.goals import Goal, Measurement, ratios
from roialign_bench.session import Group, Session
from roialign_rs._bench.problem import Array, Problem, check, ours
from roialign_rs._bench.timing import Sampler, wall

ROWS = ("1", "2", "3", "4", "5")
CROWDED_ROWS = ("1", "5")
CROWD = (1, 2, 4, 8, 16, 32, 64)


def measure(session: Session) -> Iterator[Measurement]:
    """One thread and two."""
    yield from _with_threads(session, ROWS, (1, 2))


def measure_crowded(session: Session) -> Iterator[Measurement]:
    """Up to 64 threads, however few cores there are. To be run last: the pool keeps its threads."""
    yield from _with_threads(session, CROWDED_ROWS, CROWD)


def _with_threads(session: Session, rows: Sequence[str], counts: Sequence[int]) -> Iterator[Measurement]:
    """One problem with different numbers of threads; the same bits are expected of all."""
    for workload in session.rows(rows):
        problem = Problem.of(workload)
        expected = ours(problem)
        try:
            yield session.time(workload, {_name(count): _sampler(problem, expected, count) for count in counts})
        finally:
            ra.set_num_threads(session.threads)


def _name(count: int) -> str:
    return f"{count} threads" if count > 1 else "1 thread"


def _sampler(problem: Problem, expected: Array, count: int) -> Sampler:
    out = problem.output()

    def call() -> Array:
        ra.set_num_threads(count)
        return ours(problem, out=out)

    check(call(), expected, 0.0, _name(count))
    return wall(call)


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Two threads pay."""
    return [Goal("1 thread / 2 threads", 1.7, 1.95, ratios(measured, "1 thread", "2 threads"))]


GROUP = Group("mean with out= on one thread and on as many as there are", measure, goals)
CROWDED = Group(
    "the same with up to 64 threads, more than most machines have cores", measure_crowded, lambda measured: []
)
