"""ONNX Runtime: a model of one node, inputs and output bound to NumPy buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from roialign_rs._bench.peers import Call, Peer
from roialign_rs._bench.problem import Array, Problem


def load(threads: int) -> Peer:
    """Make the peer."""
    # It warns that its maximum is ONNX's, of weighted corners: that is the one wanted here.
    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1

    def prepare(problem: Problem) -> Call | None:
        if problem.op not in ("avg", "onnx_max", "roi_pool"):
            return None
        (model, inputs), out = _model(problem), problem.output()
        session = ort.InferenceSession(model, options, ["CPUExecutionProvider"])
        binding = session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value))
        binding.bind_output("out", "cpu", 0, out.dtype.type, out.shape, out.ctypes.data)

        def call() -> Array:
            assert inputs  # kept for the binding, which has no references of its own
            session.run_with_iobinding(binding)
            return out

        return call

    return Peer("onnxruntime", ort.__version__, 2e-6, prepare)


def _model(problem: Problem) -> tuple[bytes, dict[str, Array]]:
    """Give the model, of one node, and its inputs by name."""
    boxes, row = problem.boxes, problem.row
    options: dict[str, Any] = {"spatial_scale": row.spatial_scale}
    inputs = {"features": problem.features, "boxes": boxes}
    if problem.op == "roi_pool":
        name, options["pooled_shape"] = "MaxRoiPool", row.output_size
    else:
        inputs |= {"boxes": np.ascontiguousarray(boxes[:, 1:]), "batch": boxes[:, 0].astype(np.int64)}
        name, options["mode"] = "RoiAlign", {"avg": "avg", "onnx_max": "max"}[problem.op]
        options["coordinate_transformation_mode"] = "half_pixel"
        options["output_height"], options["output_width"] = row.output_size
        options["sampling_ratio"] = row.sampling_ratio
    node = onnx.helper.make_node(name, list(inputs), ["out"], **options)
    dtypes = {key: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for key, array in inputs.items()}
    declare = onnx.helper.make_tensor_value_info
    given = [declare(key, dtypes[key], array.shape) for key, array in inputs.items()]
    result = declare("out", dtypes["features"], problem.pooled_shape)
    graph = onnx.helper.make_graph([node], "one_node", given, [result])
    opset = onnx.helper.make_opsetid("", 16)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return model.SerializeToString(), inputs
