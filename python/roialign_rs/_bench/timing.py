"""Medians of interleaved runs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

Sampler: TypeAlias = Callable[[], float]
"""Runs something, and gives the seconds that one call of it took."""

#: A sample is at least this long: short calls are repeated inside it, so that a thread that is slow to wake up is not all
#: that is measured.
MIN_SAMPLE_S = 0.03
#: How long a library's idle threads may go on spinning before the next sample starts all the same.
MAX_SETTLE_S = 2.0


def wall(call: Callable[[], object]) -> Sampler:
    """Time a call by the clock on the wall, warm: a call that is not timed comes before each sample."""
    call()
    loops = math.ceil(MIN_SAMPLE_S / min(_seconds(call, 1) for _ in range(2)))

    def sample() -> float:
        call()
        return _seconds(call, loops)

    return sample


def interleave(samplers: Mapping[str, Sampler], repeats: int) -> dict[str, float]:
    """Seconds per call, by name.

    Every round takes one sample of each, in an order that turns by one a round: slow drift of the machine and whatever a
    neighbour leaves in the caches fall on all of them alike.
    """
    names = list(samplers)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            _settle()
            samples[name].append(samplers[name]())
    return {name: statistics.median(times) for name, times in samples.items()}


def _seconds(call: Callable[[], object], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        call()
    return (time.perf_counter() - start) / loops


def _settle() -> None:
    """Wait until this process is idle: some pools spin for tenths of a second, on cores the next library needs."""
    interval = 0.005
    for _ in range(int(MAX_SETTLE_S / interval)):
        before = time.process_time()
        time.sleep(interval)
        if time.process_time() - before < 0.1 * interval:
            return
