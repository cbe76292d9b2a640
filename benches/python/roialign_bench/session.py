"""What all groups of measurements share: threads, rounds, rows asked for, peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from roialign_bench.goals import Goal, Measurement, Quotient
from roialign_bench.network import openvino_node
from roialign_rs._bench.compare import agreeing
from roialign_rs._bench.peers import PACKAGES, Peer, installed
from roialign_rs._bench.problem import Array, Problem, check
from roialign_rs._bench.timing import Sampler, interleave
from roialign_rs._bench.workloads import Workload, load

NAMES = tuple(PACKAGES)
"""Of other libraries, as they are measured."""
NODE = "openvino in-network"
"""OpenVINO's operator inside a network: see `network`."""

Measure: TypeAlias = "Callable[[Session], Iterator[Measurement]]"


class Page(NamedTuple):
    """A table of at most six columns, which goes between the markers of that name."""

    marker: str
    #: Every heading in a line.
    headings: str
    table: Callable[[Sequence[Measurement]], str]


@dataclass(frozen=True)
class Group:
    """Measurements that belong together, as one table."""

    #: One line.
    about: str
    measure: Measure
    goals: Callable[[Sequence[Measurement]], list[Goal]]
    #: Of the values: "ms" if they are seconds, "MiB" if they are bytes.
    unit: str = "ms"
    #: Columns of the table that say it in one number.
    quotients: Sequence[Quotient] = ()
    #: The table for pages.
    page: Page | None = None


@dataclass(frozen=True)
class Session:
    """One run of the benchmarks."""

    threads: int
    repeats: int
    #: Ids of rows; None for all.
    only: frozenset[str] | None = None

    @cached_property
    def peers(self) -> list[Peer]:
        """What is installed here; says what is not."""
        found, missing = installed(self.threads)
        for name, reason in missing.items():
            print(f"not compared: {name}: {reason}")
        return found

    def versions(self) -> dict[str, str]:
        """Give the versions of other libraries."""
        return {peer.name: peer.version for peer in self.peers}

    def rows(self, ids: Sequence[str]) -> list[Workload]:
        """Rows of the table, in its order, those of these that were asked for."""
        wanted = set(ids) if self.only is None else set(ids) & self.only
        return [workload for workload in load() if workload.id in wanted]

    def peer_samplers(self, problem: Problem, expected: Array) -> dict[str, Sampler]:
        """Give the samplers, by name, of the peers that make of a problem what we make of it; say of others what differs."""
        samplers: dict[str, Sampler] = {}
        for peer in self.peers:
            found, refused = agreeing([peer], problem, _as_there(peer, problem, expected))
            samplers |= found
            for difference in refused.values():
                print(f"  not timed: {problem.op} of {difference}")
        return samplers

    def node_samplers(self, problem: Problem, expected: Array) -> dict[str, Sampler]:
        """As `peer_samplers`, of OpenVINO's operator inside a network."""
        for peer in self.peers:
            node = openvino_node(problem, self.threads) if peer.name == "openvino" else None
            if node:
                check(node.call(), _as_there(peer, problem, expected), peer.tolerance, f"{peer.name} in a network")
                return {NODE: node.sample}
        return {}

    def time(self, workload: Workload, samplers: Mapping[str, Sampler]) -> Measurement:
        """Time all samplers in turns."""
        return Measurement(workload.id, workload.label, interleave(samplers, self.repeats))


def _as_there(peer: Peer, problem: Problem, expected: Array) -> Array:
    """Our result, with a known deviation of a peer put in: OpenVINO's maximum starts at 0."""
    return np.maximum(expected, 0) if peer.name == "openvino" and problem.op == "max" else expected
