"""OpenVINO's operator inside a network: after a convolution, so that it gets its features as convolutions leave them.

Called alone it gets them from NumPy, plane by plane. Inside of networks its features have a layout of 8 or 16 channels
together, in which it is several times as fast. Its counters tell how long the operator takes there without the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from roialign_rs._bench.peers import Call
from roialign_rs._bench.problem import Problem
from roialign_rs._bench.timing import Sampler

#: Rows of planes, as NumPy has them: what a node computes in when nothing before it chose better.
PLANAR = "abcd"


@dataclass(frozen=True)
class Node:
    """The operator inside a network."""

    call: Call
    #: Seconds of the operator alone.
    sample: Sampler


def openvino_node(problem: Problem, threads: int) -> Node | None:
    """Make the network; None if the operator is missing, or no layout but that of planes is chosen for it."""
    import openvino as ov

    from roialign_rs._bench.peers.openvino import compiled, covers

    if not covers(problem):
        return None
    channels = problem.features.shape[1]

    def identity(features: Any) -> Any:
        """Convolve every channel by itself with 1."""
        ones = ov.opset9.constant(np.ones((channels, 1, 1, 1, 1), np.float32))
        return ov.opset9.group_convolution(features, ones, [1, 1], [0, 0], [0, 0], [1, 1])

    model, request, infer = compiled(problem, threads, identity, PERF_COUNT=True)

    def sample() -> float:
        infer()
        times = [step.real_time for step in request.get_profiling_info() if step.node_name == "pool"]
        return float(times[0].total_seconds())

    steps = model.get_runtime_model().get_ops()
    layouts = [step.get_rt_info()["outputLayouts"] for step in steps if step.get_friendly_name() == "pool"]
    return None if str(layouts[0].value) == PLANAR else Node(infer, sample)
