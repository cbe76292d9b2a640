"""One problem solved by every library: results are compared, then all are timed in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from roialign_rs._bench.peers import Peer
from roialign_rs._bench.problem import OPERATORS, Array, Operator, Problem, check, ours
from roialign_rs._bench.timing import Sampler, interleave, wall
from roialign_rs._bench.workloads import Workload

OURS, COPY = "roialign_rs", "copy"
COMPARED: tuple[Operator, ...] = ("avg", "roi_pool", "backward")
"""The operators of the comparison."""


@dataclass(frozen=True)
class Comparison:
    """One line of the table."""

    title: str
    operator: str
    #: Seconds of our call, of a copy of as many bytes, and of other libraries by name.
    ours: float
    copy: float
    others: Mapping[str, float]
    #: What was wrong with the results of libraries that were not timed, by name.
    refused: Mapping[str, str]


def name(op: Operator) -> str:
    """How users know an operator."""
    function: str = OPERATORS[op].function.__name__
    return function


def title(workload: Workload, op: Operator) -> str:
    """What a line of the table is called."""
    return f"{workload.id} {name(op)}, {workload.label}"


def compare(workload: Workload, op: Operator, peers: Sequence[Peer], repeats: int) -> Comparison:
    """Solve one problem with every library, and time those whose results are ours up to rounding."""
    problem = Problem.of(workload, op)
    others, refused = agreeing(peers, problem, ours(problem))
    copy = copying(problem.features.nbytes + int(np.prod(problem.pooled_shape)) * problem.features.itemsize)
    seconds = interleave({OURS: wall(lambda: ours(problem)), COPY: copy, **others}, repeats)
    return Comparison(title(workload, op), name(op), seconds.pop(OURS), seconds.pop(COPY), seconds, refused)


def agreeing(peers: Sequence[Peer], problem: Problem, expected: Array) -> tuple[dict[str, Sampler], dict[str, str]]:
    """Give what times the peers whose results are as expected, and what is wrong with the others, by name."""
    samplers: dict[str, Sampler] = {}
    refused: dict[str, str] = {}
    # Features are below 1; gradients are sums over boxes.
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    for peer in peers:
        if call := peer.prepare(problem):
            try:
                check(call(), expected, peer.tolerance * scale, f"{peer.name} {peer.version}")
            except ValueError as difference:
                refused[peer.name] = str(difference)
            else:
                samplers[peer.name] = wall(call)
    return samplers, refused


def copying(nbytes: int) -> Sampler:
    """Time a copy that reads and writes as many bytes together; all pages of untouched zeros would be one in memory."""
    source = np.ones(nbytes // 2, np.uint8)
    target = np.ones_like(source)
    return wall(lambda: np.copyto(target, source))
