"""OpenVINO: a model of one node with shared buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov

from roialign_rs._bench.peers import Call, Peer
from roialign_rs._bench.problem import Array, Problem


def load(threads: int) -> Peer:
    """Make the peer."""
    version = ov.__version__.split("-")[0]
    return Peer("openvino", version, 1e-5, lambda problem: compiled(problem, threads)[2] if covers(problem) else None)


def covers(problem: Problem) -> bool:
    """Say whether it has the operator. The bins of its ROIPooling are a cell away from Caffe's on some CPUs."""
    return problem.op in ("avg", "max") and problem.features.dtype == np.float32


def compiled(
    problem: Problem, threads: int, before: Callable[[Any], Any] = lambda features: features, **settings: Any
) -> tuple[Any, Any, Call]:
    """Give model, request and call of the operator, after what may come before it."""
    inputs = [problem.features, np.ascontiguousarray(problem.boxes[:, 1:]), problem.boxes[:, 0].astype(np.int32)]
    out, row = problem.output(), problem.row
    features, *rest = parameters = [ov.opset9.parameter(array.shape, array.dtype) for array in inputs]
    # "half_pixel_for_nn" is its name for the shift of half a cell; its "half_pixel" shifts image coordinates as well.
    options = (*row.output_size, row.sampling_ratio, row.spatial_scale, problem.op, "half_pixel_for_nn")
    node = ov.opset9.roi_align(before(features), *rest, *options)
    node.set_friendly_name("pool")
    # On CPUs that have bfloat16 the default would compute in it.
    settings |= {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    model = ov.Core().compile_model(ov.Model([node], parameters), "CPU", settings)
    request = model.create_infer_request()
    for index, array in enumerate(inputs):
        request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
    request.set_output_tensor(0, ov.Tensor(out, shared_memory=True))

    def infer() -> Array:
        assert inputs  # kept for the request, which has no references of its own
        request.infer()
        return out

    return model, request, infer
