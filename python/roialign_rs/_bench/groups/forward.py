"""``roi_align``'s mean in float32 and NCHW, beside everything that it can be held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from roialign_rs._bench.goals import Goal, Measurement, Quotient, mean, ratios
from roialign_rs._bench.peers import NAMES
from roialign_rs._bench.problem import Problem, check, ours
from roialign_rs._bench.session import Group, Session
from roialign_rs._bench.timing import wall
from roialign_rs._bench.workloads import Workload

ROWS = ("1", "2", "3", "4", "5", "6")
NODE = "openvino in-network"


def measure(session: Session) -> Iterator[Measurement]:
    """Ours into ``out=`` and fresh, a copy of as many bytes, the peers, the peers' node in a network."""
    for workload in session.rows(ROWS):
        problem = Problem.of(workload)
        yield beside_peers(session, workload, problem, in_network=True)


def beside_peers(session: Session, workload: Workload, problem: Problem, in_network: bool = False) -> Measurement:
    """Check and time one problem."""
    expected, out = ours(problem), problem.output()
    check(ours(problem, out=out), expected, 0.0, "out= against a fresh result")
    # NumPy's own copy of as many bytes as the operator must read and write, halved because a copy does both.
    source = np.zeros((problem.features.nbytes + out.nbytes) // 2, np.uint8)
    target = np.ones_like(source)
    samplers = {
        "out=": wall(lambda: ours(problem, out=out)),
        "fresh": wall(lambda: ours(problem)),
        "copy": wall(lambda: np.copyto(target, source)),
        **session.peer_samplers(problem, expected),
    }
    if in_network:
        samplers |= session.node_samplers(problem, expected)
    return session.time(workload, samplers)


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Called from NumPy, inside a network, against the copy floor, and without ``out=``."""
    called, node = ratios(measured, NAMES, "out="), ratios(measured, NODE, "out=")
    copied = ratios(measured, "out=", "copy", ("1", "3", "4", "5"))
    fresh = ratios(measured, "fresh", "out=")
    return [
        Goal("f32 NCHW mean: fastest peer / ours", 15, 25, called, {"6": 7}),
        Goal("the same, all rows", 20, 35, mean(called)),
        Goal("f32 NCHW mean: OpenVINO's node in a network / ours", 1, 4, node),
        Goal("the same, all rows", 2.5, 4, mean(node)),
        Goal("ours / copy floor", 2.5, 1.5, copied, at_most=True),
        Goal("a loop of calls without out= / with it", 1.2, 1, fresh, at_most=True),
    ]


QUOTIENTS = (
    Quotient("fastest peer / ours", NAMES, "out="),
    Quotient("in-network / ours", NODE, "out="),
    Quotient("ours / copy", "out=", "copy"),
)
GROUP = Group(
    "roi_align, mean, float32, NCHW, beside other libraries and a copy of as many bytes",
    measure,
    goals,
    quotients=QUOTIENTS,
)
