"""OpenVINO: a model of one node with shared buffers, and the same node behind a convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov

from roialign_rs._bench.peers import Call, Node, Peer
from roialign_rs._bench.problem import Array, Problem

#: Rows of planes, as NumPy has them: what a node computes in when nothing before it chose better.
PLANAR = "abcd"


def load(threads: int) -> Peer:
    """Make the peer."""
    # On CPUs that have bfloat16 the default would compute in it.
    config = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }

    def prepare(problem: Problem) -> Call | None:
        if not _covers(problem):
            return None
        return _Request(problem, config).infer

    def in_network(problem: Problem) -> Node | None:
        if not _covers(problem):
            return None
        request = _Request(problem, config | {"PERF_COUNT": True}, after_convolution=True)
        return None if request.layout() == PLANAR else Node(request.infer, request.sample)

    version = ov.__version__.split("-")[0]
    return Peer("openvino", version, 1e-5, prepare, in_network, _as_there)


def _covers(problem: Problem) -> bool:
    # The edges of its ROIPooling's bins are rounded elsewhere on some CPUs, a cell away from Caffe's.
    return problem.op in ("avg", "max") and problem.features.dtype == np.float32


def _as_there(problem: Problem, expected: Array) -> Array:
    """Its maximum starts at 0."""
    return np.maximum(expected, 0) if problem.op == "max" else expected


class _Request:
    """A compiled model with its inputs and output."""

    def __init__(self, problem: Problem, config: dict[str, Any], after_convolution: bool = False) -> None:
        # The request has no references of its own to the arrays that it reads and writes.
        self.inputs = [
            problem.features,
            np.ascontiguousarray(problem.boxes[:, 1:]),
            problem.boxes[:, 0].astype(np.int32),
        ]
        self.out = problem.output()
        parameters = [ov.opset9.parameter(array.shape, array.dtype) for array in self.inputs]
        features = _identity(parameters[0], problem.features.shape[1]) if after_convolution else parameters[0]
        node = _node(problem, features, parameters[1:])
        node.set_friendly_name("pool")
        self.model = ov.Core().compile_model(ov.Model([node], parameters), "CPU", config)
        self.request = self.model.create_infer_request()
        for index, array in enumerate(self.inputs):
            self.request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
        self.request.set_output_tensor(0, ov.Tensor(self.out, shared_memory=True))

    def infer(self) -> Array:
        self.request.infer()
        return self.out

    def sample(self) -> float:
        """Seconds in the node alone, by the library's own counters."""
        self.request.infer()
        times = [step.real_time for step in self.request.get_profiling_info() if step.node_name == "pool"]
        return float(times[0].total_seconds())

    def layout(self) -> str:
        """The order of axes that the node computes in."""
        steps = self.model.get_runtime_model().get_ops()
        layouts = [step.get_rt_info()["outputLayouts"] for step in steps if step.get_friendly_name() == "pool"]
        return str(layouts[0].value)


def _node(problem: Problem, features: Any, rest: list[Any]) -> Any:
    return ov.opset9.roi_align(
        features,
        *rest,
        *problem.output_size,
        problem.sampling_ratio,
        problem.spatial_scale,
        problem.op,
        # Its name for the shift of half a cell; its "half_pixel" shifts image coordinates as well.
        "half_pixel_for_nn",
    )


def _identity(features: Any, channels: int) -> Any:
    """A convolution of every channel by itself with 1: what comes out has the layout that convolutions choose."""
    ones = ov.opset9.constant(np.ones((channels, 1, 1, 1, 1), np.float32))
    return ov.opset9.group_convolution(features, ones, [1, 1], [0, 0], [0, 0], [1, 1])
