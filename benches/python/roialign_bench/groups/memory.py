"""Peak memory of a call beyond its input and its output, in a fresh process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roialign_bench.goals import Goal, Measurement
from roialign_bench.groups.forward import ROWS
from roialign_bench.process import Worker
from roialign_bench.session import Group, Session

MIB = 1 << 20
#: Pages that code and stacks happen to touch differ by so much from process to process.
NOISE_MIB = 2


def measure(session: Session) -> Iterator[Measurement]:
    """With the table's channels and with four times as many."""
    for workload in session.rows(ROWS):
        values: dict[str, float] = {}
        for name, widen in (("C", 1), ("4 C", 4)):
            with Worker(workload.id, session.threads, widen=widen) as worker:
                if worker.extra is not None:
                    values[name] = worker.extra
        yield Measurement(workload.id, workload.label, values)


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Little, and not growing with C."""
    peaks = {m.row: max(m.values.values()) / MIB for m in measured if m.values}
    growth = {m.row: (m.values["4 C"] - m.values["C"]) / MIB for m in measured if m.values}
    return [
        Goal("peak memory beyond input and output, MiB", 64, 64, peaks, at_most=True),
        Goal("its growth from C to 4 C, MiB", NOISE_MIB, NOISE_MIB, growth, at_most=True),
    ]


GROUP = Group("peak memory of a mean with out= beyond input and output, with C and 4 C channels", measure, goals, "MiB")
