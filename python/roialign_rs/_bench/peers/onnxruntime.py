"""ONNX Runtime: a model of one node, inputs and output bound to NumPy buffers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort

from roialign_rs._bench.peers import Call, Peer
from roialign_rs._bench.problem import Array, Problem


def load(threads: int) -> Peer:
    """Make the peer."""
    # It warns that its maximum is ONNX's, of weighted corners: that is the one wanted here.
    ort.set_default_logger_severity(3)

    def prepare(problem: Problem) -> Call | None:
        if problem.op == "max":
            return None
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        inputs, model = _model(problem)
        session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        out = problem.output()
        values = {name: ort.OrtValue.ortvalue_from_numpy(value) for name, value in inputs.items()}
        binding = session.io_binding()
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("out", "cpu", 0, out.dtype.type, out.shape, out.ctypes.data)

        def call() -> Array:
            session.run_with_iobinding(binding)
            return out

        return call

    return Peer("onnxruntime", ort.__version__, 2e-6, prepare)


def _model(problem: Problem) -> tuple[dict[str, Array], onnx.ModelProto]:
    """The inputs by name, and the model that takes them: MaxRoiPool or RoiAlign."""
    if problem.op == "roi_pool":
        inputs = {"features": problem.features, "boxes": problem.boxes}
        node = onnx.helper.make_node(
            "MaxRoiPool",
            list(inputs),
            ["out"],
            pooled_shape=problem.output_size,
            spatial_scale=problem.spatial_scale,
        )
    else:
        height, width = problem.output_size
        inputs = {
            "features": problem.features,
            "boxes": np.ascontiguousarray(problem.boxes[:, 1:]),
            "batch": problem.boxes[:, 0].astype(np.int64),
        }
        node = onnx.helper.make_node(
            "RoiAlign",
            list(inputs),
            ["out"],
            mode={"avg": "avg", "onnx_max": "max"}[problem.op],
            coordinate_transformation_mode="half_pixel",
            output_height=height,
            output_width=width,
            sampling_ratio=problem.sampling_ratio,
            spatial_scale=problem.spatial_scale,
        )
    declare = onnx.helper.make_tensor_value_info
    types = {name: onnx.helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in inputs.items()}
    graph = onnx.helper.make_graph(
        [node],
        "one_node",
        [declare(name, types[name], value.shape) for name, value in inputs.items()],
        [declare("out", types["features"], problem.output_shape)],
    )
    return inputs, onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 16)], ir_version=8)
