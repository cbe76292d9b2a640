"""Medians of calls that take turns."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

Sampler: TypeAlias = Callable[[], float]
"""Runs something, and gives the seconds that one call of it took."""

#: Short calls are repeated until a sample is this long: else the time to wake up a thread would be all that is measured.
MIN_SAMPLE_S = 0.03


def wall(call: Callable[[], object]) -> Sampler:
    """Time a call by the clock on the wall; a call that is not timed comes before each sample."""
    call()
    loops = math.ceil(MIN_SAMPLE_S / min(_seconds(call, 1) for _ in range(2)))

    def sample() -> float:
        call()
        return _seconds(call, loops)

    return sample


def interleave(samplers: Mapping[str, Sampler], repeats: int) -> dict[str, float]:
    """Seconds per call, by name. A slow drift of the machine, and what a neighbour leaves in caches, fall on all alike."""
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


def _settle(interval: float = 0.005, attempts: int = 400) -> None:
    """Wait until this process is idle: some pools spin for tenths of a second, on cores the next library needs."""
    for _ in range(attempts):
        before = time.process_time()
        time.sleep(interval)
        if time.process_time() - before < 0.1 * interval:
            return
