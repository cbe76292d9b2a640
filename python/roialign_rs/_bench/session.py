"""What all groups of measurements share: threads, rounds, rows asked for, peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import roialign_rs as ra
from roialign_rs._bench.goals import Goal, Measurement, Quotient
from roialign_rs._bench.peers import Peer, installed
from roialign_rs._bench.problem import Array, Problem, check
from roialign_rs._bench.timing import Sampler, interleave, wall
from roialign_rs._bench.workloads import Workload, load

Measure: TypeAlias = "Callable[[Session], Iterator[Measurement]]"


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
        for reason in missing:
            print(f"not compared: {reason}")
        return found

    def versions(self) -> dict[str, str]:
        """Give the versions of all that takes part."""
        return {"roialign_rs": ra.__version__, **{peer.name: peer.version for peer in self.peers}}

    def rows(self, ids: Sequence[str]) -> list[Workload]:
        """Rows of the table, in its order, those of these that were asked for."""
        wanted = set(ids) if self.only is None else set(ids) & self.only
        return [workload for workload in load() if workload.id in wanted]

    def peer_samplers(self, problem: Problem, expected: Array) -> dict[str, Sampler]:
        """Give the samplers, by name, of the peers that make of a problem what we make of it; say of others what differs."""
        samplers: dict[str, Sampler] = {}
        for peer in self.peers:
            call = peer.prepare(problem)
            if call:
                try:
                    check(call(), peer.as_there(problem, expected), peer.tolerance, f"{peer.name} {peer.version}")
                except ValueError as difference:
                    print(f"  not timed: {problem.op} of {difference}")
                else:
                    samplers[peer.name] = wall(call)
        return samplers

    def node_samplers(self, problem: Problem, expected: Array) -> dict[str, Sampler]:
        """As `peer_samplers`, of the operator inside a network."""
        samplers: dict[str, Sampler] = {}
        for peer in self.peers:
            node = peer.in_network(problem)
            if node:
                what = f"{peer.name} {peer.version} in a network"
                check(node.call(), peer.as_there(problem, expected), peer.tolerance, what)
                samplers[f"{peer.name} in-network"] = node.sample
        return samplers

    def time(self, workload: Workload, samplers: Mapping[str, Sampler]) -> Measurement:
        """Time all samplers in turns."""
        return Measurement(workload.id, workload.summary, interleave(samplers, self.repeats))
