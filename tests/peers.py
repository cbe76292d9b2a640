"""Peers: released libraries whose operators are compared with ours.

A peer has a function with the arguments of our operator, and a ``scope``: the cases for which the library promises the
same result. onnxruntime and openvino are ordinary dependencies of the tests; torchvision is used where it is installed,
as for ``make test-torch``.
"""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import openvino
import openvino.opset9
from onnx import helper
from onnx.reference import ReferenceEvaluator
from truth import pair

onnxruntime.set_default_logger_severity(4)

ONNX_TYPES = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE}


@dataclass(frozen=True)
class Peer:
    """One operator of one library."""

    name: str
    op: str
    call: Callable[..., np.ndarray]
    scope: Callable[..., bool]
    dtypes: tuple[str, ...] = ("float32",)
    as_there: Callable[..., np.ndarray] = lambda case, ours: ours
    """Our result, changed by a known deviation of the library."""

    def covers(self, case):
        """Whether the library promises what we promise for this case."""
        same = case.features_dtype == case.boxes_dtype
        return case.op == self.op and same and case.features_dtype in self.dtypes and self.scope(case)


def same_roi_align(case):
    """Whether all peers promise our result.

    They have one sampling ratio for both axes and samples at the center only. With an adaptive ratio, an empty or
    inverted aligned box is an error, NaN or garbage there, and a huge box costs them gigabytes.
    """
    ratio, options = case.options["sampling_ratio"], case.options
    if not isinstance(ratio, int) or options["sample_points"] != "center":
        return False
    if ratio > 0:
        return True
    x1, y1, x2, y2 = case.inputs()["boxes"].T.astype(np.float64) * options["spatial_scale"]
    sides = np.array([x2 - x1, y2 - y1])
    return bool(np.all(sides < 200) and (np.all(sides > 0) or not options["aligned"]))


def same_roi_pool(case):
    """Whether all peers promise our result: they have the maximum over rounded, inclusive, overlapping bins only."""
    return case.options["mode"] == "max" and case.options["quantization"] == "caffe"


def scale_is_float32(case):
    """Whether the scale is the same in ONNX, whose attributes are float32; ours has the dtype of the boxes."""
    scale = case.options["spatial_scale"]
    return case.boxes_dtype == "float32" or float(np.float32(scale)) == scale


@functools.cache
def onnx_session(op, dtype, opset, ranks, attributes):
    """Make an ONNX Runtime session for one node."""
    dtypes = (ONNX_TYPES[dtype], ONNX_TYPES[dtype], onnx.TensorProto.INT64)
    names = [f"input{i}" for i in range(len(ranks))]
    each = zip(names, dtypes[: len(ranks)], ranks, strict=True)
    inputs = [helper.make_tensor_value_info(name, kind, [None] * rank) for name, kind, rank in each]
    output = helper.make_tensor_value_info("output", ONNX_TYPES[dtype], [None] * 4)
    node = helper.make_node(op, names, ["output"], **dict(attributes))
    model = helper.make_model(
        helper.make_graph([node], op, inputs, [output]), opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def onnxruntime_roi_align(
    features, boxes, output_size, *, batch_indices, spatial_scale, sampling_ratio, aligned, mode, opset=16, **_
):
    """Run RoiAlign. Opset 10 has no attribute for ``aligned``, and is not aligned."""
    height, width = pair(output_size)
    attributes = {
        "mode": {"avg": "avg", "onnx_max": "max"}[mode],
        "output_height": height,
        "output_width": width,
        "sampling_ratio": max(sampling_ratio, 0),
        "spatial_scale": float(spatial_scale),
    }
    if opset >= 16:
        attributes["coordinate_transformation_mode"] = "half_pixel" if aligned else "output_half_pixel"
    elif aligned:
        raise ValueError("opset 10 has no half pixel")
    session = onnx_session("RoiAlign", features.dtype.name, opset, (4, 2, 1), tuple(attributes.items()))
    return session.run(None, {"input0": features, "input1": boxes, "input2": batch_indices})[0]


def onnx_reference_roi_align(
    features, boxes, output_size, *, batch_indices, spatial_scale, sampling_ratio, aligned, mode
):
    """Run RoiAlign in ONNX's reference evaluator."""
    height, width = pair(output_size)
    node = helper.make_node(
        "RoiAlign",
        ["features", "boxes", "images"],
        ["output"],
        mode={"avg": "avg", "onnx_max": "max"}[mode],
        output_height=height,
        output_width=width,
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
        coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel",
    )
    return ReferenceEvaluator(node).run(None, {"features": features, "boxes": boxes, "images": batch_indices})[0]


def onnxruntime_roi_pool(features, boxes, output_size, *, batch_indices, spatial_scale, **_):
    """Run MaxRoiPool."""
    attributes = (("pooled_shape", pair(output_size)), ("spatial_scale", float(spatial_scale)))
    session = onnx_session("MaxRoiPool", features.dtype.name, 12, (4, 2), attributes)
    return session.run(None, {"input0": features, "input1": with_batch_index(boxes, batch_indices)})[0]


def with_batch_index(boxes, batch_indices):
    """(K, 5) boxes, whose first column is the batch index."""
    return np.concatenate([batch_indices[:, None].astype(boxes.dtype), boxes], axis=1)


@functools.cache
def openvino_model(op, ranks, integers, attributes):
    """Compile one node for the CPU, in float32 throughout."""
    types = [np.int32 if i in integers else np.float32 for i in range(len(ranks))]
    parameters = [openvino.opset9.parameter(shape, dtype) for shape, dtype in zip(ranks, types, strict=True)]
    node = getattr(openvino.opset9, op)(*parameters, **dict(attributes))
    return openvino.Core().compile_model(openvino.Model([node], parameters), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def openvino_roi_align(
    features,
    boxes,
    output_size,
    *,
    batch_indices,
    spatial_scale,
    sampling_ratio,
    aligned,
    mode,
    aligned_mode=None,
    **_,
):
    """Run ROIAlign-9 with ``aligned_mode``; None for the mode that our ``aligned`` means."""
    height, width = pair(output_size)
    attributes = (
        ("pooled_h", height),
        ("pooled_w", width),
        ("sampling_ratio", max(sampling_ratio, 0)),
        ("spatial_scale", float(spatial_scale)),
        ("mode", mode),
        ("aligned_mode", aligned_mode or ("half_pixel_for_nn" if aligned else "asymmetric")),
    )
    model = openvino_model("roi_align", ((-1, -1, -1, -1), (-1, 4), (-1,)), (2,), attributes)
    return np.array(model([features, boxes, batch_indices.astype(np.int32)])[0])


def openvino_roi_pool(features, boxes, output_size, *, batch_indices, spatial_scale, **_):
    """Run ROIPooling with its maximum."""
    attributes = (("output_roi", pair(output_size)), ("spatial_scale", float(spatial_scale)), ("method", "max"))
    model = openvino_model("roi_pooling", ((-1, -1, -1, -1), (-1, 5)), (), attributes)
    return np.array(model([features, with_batch_index(boxes, batch_indices)])[0])


def torchvision_roi_align(features, boxes, output_size, *, batch_indices, spatial_scale, sampling_ratio, aligned, **_):
    """Run torchvision's native kernel on the CPU."""
    import torch
    import torchvision

    rois = torch.from_numpy(with_batch_index(boxes, batch_indices))
    result = torchvision.ops.roi_align(
        torch.from_numpy(features), rois, pair(output_size), spatial_scale, sampling_ratio, aligned
    )
    return result.numpy()


def torchvision_roi_pool(features, boxes, output_size, *, batch_indices, spatial_scale, **_):
    """Run torchvision's native kernel on the CPU."""
    import torch
    import torchvision

    rois = torch.from_numpy(with_batch_index(boxes, batch_indices))
    return torchvision.ops.roi_pool(torch.from_numpy(features), rois, pair(output_size), spatial_scale).numpy()


PEERS = [
    Peer(
        "onnxruntime",
        "roi_align",
        onnxruntime_roi_align,
        lambda case: same_roi_align(case) and scale_is_float32(case) and case.options["mode"] in ("avg", "onnx_max"),
        ("float32", "float64"),
    ),
    Peer("onnxruntime", "roi_pool", onnxruntime_roi_pool, same_roi_pool),
    Peer(
        "openvino",
        "roi_align",
        openvino_roi_align,
        lambda case: same_roi_align(case) and case.options["mode"] in ("avg", "max"),
        as_there=lambda case, ours: np.maximum(ours, 0) if case.options["mode"] == "max" else ours,
    ),
    Peer("openvino", "roi_pool", openvino_roi_pool, same_roi_pool),
]
if importlib.util.find_spec("torchvision"):
    PEERS += [
        Peer(
            "torchvision",
            "roi_align",
            torchvision_roi_align,
            lambda case: same_roi_align(case) and case.options["mode"] == "avg",
            ("float32", "float64"),
        ),
        Peer("torchvision", "roi_pool", torchvision_roi_pool, same_roi_pool, ("float32", "float64")),
    ]
