"""RoI Align of other libraries, each called from NumPy in the fastest way that it offers.

A peer's ``prepare`` does everything that a caller does once (models, sessions, bound buffers); the function it returns is
one call, from NumPy arrays to a NumPy array.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from workloads import Workload

Array = NDArray[Any]
Call = Callable[[], Array]


@dataclass(frozen=True)
class Peer:
    """A library that is installed."""

    name: str
    version: str
    #: Largest difference to us that is rounding, relative to the largest feature.
    tolerance: float
    prepare: Callable[[Workload, Array, Array], Call]


def installed(threads: int) -> tuple[list[Peer], list[str]]:
    """The peers that can be imported here, and why the others cannot."""
    peers, missing = [], []
    for make in (onnxruntime, openvino, torchvision):
        try:
            peers.append(make(threads))
        except ImportError as error:
            missing.append(f"{make.__name__}: {error}")
    return peers, missing


def onnxruntime(threads: int) -> Peer:
    """ONNX Runtime: one RoiAlign node, inputs and output bound to NumPy buffers."""
    import onnx
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1

    def prepare(workload: Workload, features: Array, boxes: Array) -> Call:
        inputs = {
            "features": features,
            "boxes": np.ascontiguousarray(boxes[:, 1:]),
            "batch": boxes[:, 0].astype(np.int64),
        }
        height, width = workload.output_size
        node = onnx.helper.make_node(
            "RoiAlign",
            list(inputs),
            ["out"],
            mode="avg",
            coordinate_transformation_mode="half_pixel",
            output_height=height,
            output_width=width,
            sampling_ratio=workload.sampling_ratio,
            spatial_scale=workload.spatial_scale,
        )
        declare = onnx.helper.make_tensor_value_info
        types = {name: onnx.helper.np_dtype_to_tensor_dtype(v.dtype) for name, v in inputs.items()}
        graph = onnx.helper.make_graph(
            [node],
            "roi_align",
            [declare(name, types[name], v.shape) for name, v in inputs.items()],
            [declare("out", types["features"], workload.output_shape)],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 16)], ir_version=8)
        providers = ["CPUExecutionProvider"]
        session = ort.InferenceSession(model.SerializeToString(), options, providers)
        out = np.empty(workload.output_shape, features.dtype)
        values = {name: ort.OrtValue.ortvalue_from_numpy(v) for name, v in inputs.items()}
        binding = session.io_binding()
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("out", "cpu", 0, out.dtype.type, out.shape, out.ctypes.data)

        def call() -> Array:
            session.run_with_iobinding(binding)
            return out

        return call

    return Peer("onnxruntime", ort.__version__, 2e-6, prepare)


def openvino(threads: int) -> Peer:
    """OpenVINO: a model of one ROIAlign, inputs and output shared with NumPy buffers."""
    import openvino as ov

    # On CPUs that have bfloat16 the default would compute in it.
    config = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }

    def prepare(workload: Workload, features: Array, boxes: Array) -> Call:
        arrays = (features, np.ascontiguousarray(boxes[:, 1:]), boxes[:, 0].astype(np.int32))
        ops = ov.opset9
        parameters = [ops.parameter(array.shape, array.dtype) for array in arrays]
        node = ops.roi_align(
            *parameters,
            *workload.output_size,
            workload.sampling_ratio,
            workload.spatial_scale,
            "avg",
            # Its name for the shift of half a cell; its "half_pixel" shifts image coordinates as well.
            "half_pixel_for_nn",
        )
        model = ov.Model([node], parameters)
        request = ov.Core().compile_model(model, "CPU", config).create_infer_request()
        out = np.empty(workload.output_shape, features.dtype)
        for index, array in enumerate(arrays):
            request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
        request.set_output_tensor(0, ov.Tensor(out, shared_memory=True))

        def call(_shared: object = arrays) -> Array:
            # The request has no reference of its own to the arrays that it reads, so this function has one.
            request.infer()
            return out

        return call

    return Peer("openvino", ov.__version__.split("-")[0], 1e-5, prepare)


def torchvision(threads: int) -> Peer:
    """torchvision: tensors that share memory with NumPy; it has no way to give it the output."""
    import torch
    import torchvision as tv

    torch.set_num_threads(threads)

    def prepare(workload: Workload, features: Array, boxes: Array) -> Call:
        tensor, rois = torch.from_numpy(features), torch.from_numpy(boxes)

        def call() -> Array:
            with torch.inference_mode():
                pooled = tv.ops.roi_align(
                    tensor,
                    rois,
                    workload.output_size,
                    spatial_scale=workload.spatial_scale,
                    sampling_ratio=workload.sampling_ratio,
                    aligned=True,
                )
            return pooled.numpy()

        return call

    return Peer("torchvision", tv.__version__, 2e-6, prepare)
