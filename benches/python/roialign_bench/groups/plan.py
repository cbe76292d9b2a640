"""What a call costs before the first channel: making the taps of all boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import roialign_rs as ra
from roialign_bench.goals import Goal, Measurement
from roialign_bench.session import Group, Session
from roialign_rs._bench.problem import Array, Problem, check, ours
from roialign_rs._bench.timing import Sampler, wall

ROWS = ("1", "2")
#: Channels that are computed together: half as many cost as much.
BLOCK = 16
#: So few that results of two blocks stay in the caches as well: those of more are streamed, at another price.
BOXES = 500


def measure(session: Session) -> Iterator[Measurement]:
    """One block of channels and two, on one thread, where every block costs the same."""
    ra.set_num_threads(1)
    try:
        for workload in session.rows(ROWS):
            problem = Problem.of(workload)
            expected = ours(problem)
            samplers: dict[str, Sampler] = {}
            for blocks in (1, 2):
                channels = blocks * BLOCK
                part = replace(problem, features=problem.features[:, :channels].copy(), boxes=problem.boxes[:BOXES])
                samplers[f"{channels} channels"] = _sampler(part, expected[:BOXES, :channels])
            yield session.time(workload, samplers)
    finally:
        ra.set_num_threads(session.threads)


def _sampler(problem: Problem, expected: Array) -> Sampler:
    out = problem.output()
    check(ours(problem, out=out), expected, 0.0, "some of the channels")
    return wall(lambda: ours(problem, out=out))


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Of 1000 boxes; what is left of a call when its channels are taken away."""
    left = {
        m.row: max(2 * m.values[f"{BLOCK} channels"] - m.values[f"{2 * BLOCK} channels"], 0) * 1e3 * 1000 / BOXES
        for m in measured
    }
    return [Goal("a call with 1000 boxes and no channels, one thread, ms", 0.3, 0.1, left, at_most=True)]


GROUP = Group("tables of taps of 1000 boxes: what is left of a call without channels, one thread", measure, goals)
