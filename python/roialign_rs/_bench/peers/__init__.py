"""Other libraries, each called from NumPy in the fastest way that it offers; imported only when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from roialign_rs._bench.problem import Array, Problem
from roialign_rs._bench.timing import Sampler

Call: TypeAlias = Callable[[], Array]

NAMES = ("onnxruntime", "openvino", "torchvision")
"""Modules of this package, each with a function ``load(threads) -> Peer``."""


@dataclass(frozen=True)
class Node:
    """The operator inside a network, between operators that choose the layout of its input."""

    call: Call
    #: Seconds of the operator alone.
    sample: Sampler


@dataclass(frozen=True)
class Peer:
    """A library that is installed."""

    name: str
    version: str
    #: Largest difference to us that is rounding in float32, relative to the largest feature.
    tolerance: float
    #: Does everything that a caller does once (models, sessions, bound buffers), and gives one call from NumPy arrays
    #: to a NumPy array; None if the library cannot solve the problem.
    prepare: Callable[[Problem], Call | None]
    #: The same inside a network, where the library can tell how long one operator takes.
    in_network: Callable[[Problem], Node | None] = lambda problem: None
    #: Our result, with a known deviation of the library put in.
    as_there: Callable[[Problem, Array], Array] = lambda problem, expected: expected


def installed(threads: int) -> tuple[list[Peer], list[str]]:
    """The peers that can be imported here, and why the others cannot."""
    peers: list[Peer] = []
    missing: list[str] = []
    for name in NAMES:
        try:
            peers.append(importlib.import_module(f"{__name__}.{name}").load(threads))
        except ImportError as error:
            missing.append(f"{name}: {error}")
    return peers, missing
