"""Instruction sets. A process has one, so each runs in its own, and they take turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from roialign_bench.goals import Goal, Measurement, mean, ratios
from roialign_bench.groups.forward import ROWS
from roialign_bench.process import UnavailableError, Worker
from roialign_bench.session import NAMES, Group, Session
from roialign_rs._bench.problem import Problem, check, ours
from roialign_rs._bench.timing import Sampler

LEVELS = ("scalar", "avx2", "avx512", "neon")
#: Levels differ in the last bits: some fuse multiplication and addition.
TOLERANCE = 2e-6


def measure(session: Session) -> Iterator[Measurement]:
    """Every level that this machine has, and the peers."""
    for workload in session.rows(ROWS):
        problem = Problem.of(workload)
        expected = ours(problem)
        with ExitStack() as stack:
            path = Path(stack.enter_context(TemporaryDirectory())) / "result.npy"
            samplers: dict[str, Sampler] = {}
            for level in LEVELS:
                try:
                    worker = stack.enter_context(Worker(workload.id, session.threads, level=level, save=path))
                except UnavailableError:
                    continue
                check(np.load(path), expected, TOLERANCE, level)
                samplers[level] = worker.sample
            yield session.time(workload, samplers | session.peer_samplers(problem, expected))


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """The narrower level is nearly as fast, and the slowest one still is far ahead."""
    return [
        Goal("AVX2 / AVX-512", 1.2, 1.05, mean(ratios(measured, "avx2", "avx512")), at_most=True),
        Goal("fastest peer / scalar level", 3, 5, mean(ratios(measured, NAMES, "scalar"))),
    ]


GROUP = Group("mean with out= at each instruction set (ROIALIGN_LEVEL), in processes of their own", measure, goals)
