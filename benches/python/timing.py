"""Medians of interleaved runs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping

#: A sample is at least this long: calls of microseconds are repeated inside it.
MIN_SAMPLE_S = 0.004
#: How long a library's idle threads may go on spinning before the next sample starts all the same.
MAX_SETTLE_S = 2.0


def interleave(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds per call, by name.

    Every round times each call once, in an order that turns by one a round: slow drift of the machine and whatever a
    neighbour leaves in the caches fall on all of them alike.
    """
    names = list(calls)
    loops = {name: _loops(calls[name]) for name in names}
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(_sample(calls[name], loops[name]))
    return {name: statistics.median(times) for name, times in samples.items()}


def _loops(call: Callable[[], object]) -> int:
    call()
    once = min(_sample(call, 1) for _ in range(2))
    return math.ceil(MIN_SAMPLE_S / once)


def _sample(call: Callable[[], object], loops: int) -> float:
    _settle()
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
