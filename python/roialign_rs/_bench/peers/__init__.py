"""Other libraries, each called from NumPy in the fastest way that it offers; imported only when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from roialign_rs._bench.problem import Array, Problem

Call: TypeAlias = Callable[[], Array]

PACKAGES = {"onnxruntime": "onnx onnxruntime", "openvino": "openvino", "torchvision": "torchvision"}
"""What to install for each module of this package; each module has a function ``load(threads) -> Peer``."""


@dataclass(frozen=True)
class Peer:
    """A library that is installed."""

    name: str
    version: str
    #: Largest difference to us that is rounding in float32, relative to the largest value.
    tolerance: float
    #: Does everything that a caller does once (models, sessions, bound buffers), and gives one call from NumPy arrays
    #: to a NumPy array; None if the library cannot solve the problem.
    prepare: Callable[[Problem], Call | None]


def installed(threads: int) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be imported here, and why the others cannot, by name."""
    peers: list[Peer] = []
    missing: dict[str, str] = {}
    for name in PACKAGES:
        try:
            peers.append(importlib.import_module(f"{__name__}.{name}").load(threads))
        # torchvision raises a RuntimeError where it does not fit the installed torch.
        except (ImportError, RuntimeError) as error:
            missing[name] = str(error)
    return peers, missing
