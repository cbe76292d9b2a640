"""Pool boxes of a photograph from a feature pyramid: a table in the terminal, and two pictures beside this file.

The pyramid comes from a fixed bank of oriented filters, so nothing has to be downloaded. Every result is compared with
ONNX Runtime's operator on the same input.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")

import numpy as np
import onnx
import onnxruntime
from filters import feature_pyramid
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray
from onnx import helper
from PIL import Image
from sheets import draw_crops, draw_explanation

import roialign_rs as ra

Array = NDArray[np.float32]

FOLDER = Path(__file__).parent
OUTPUT_SIZE = 7
BOXES = {
    "portrait": (95, 15, 440, 440),
    "face": (152, 128, 377, 335),
    "glasses": (178, 166, 362, 232),
    "cap badge": (198, 27, 340, 105),
    "ribbons": (322, 487, 453, 526),
    "name tag": (77, 481, 168, 519),
    "star": (45, 58, 89, 118),
    "button": (231, 574, 261, 600),
}


class Method(NamedTuple):
    """One operator with the options that ONNX Runtime shares, and the ONNX node that does the same."""

    name: str
    run: Callable[..., Array]
    options: Mapping[str, object]
    node: str
    attributes: Mapping[str, object]


METHODS = (
    Method("roi_pool", ra.roi_pool, {}, "MaxRoiPool", {"pooled_shape": [OUTPUT_SIZE] * 2}),
    Method(
        "roi_align",
        ra.roi_align,
        {"sampling_ratio": 2},
        "RoiAlign",
        {"output_height": OUTPUT_SIZE, "output_width": OUTPUT_SIZE, "sampling_ratio": 2},
    ),
)


def main() -> None:
    """Print the table and write the pictures."""
    picture = np.asarray(Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB"))
    start = time.perf_counter()
    pyramid = feature_pyramid(picture)
    print(f"picture of {picture.shape[1]} x {picture.shape[0]} pixels, filter bank {time.perf_counter() - start:.2f} s")
    for stride, features in pyramid.items():
        print(f"  stride {stride:2d}  features {features.shape}")

    print("\nbox            stride  method     output                  ms    cells    lost  gained  to ONNX Runtime")
    for name, box in BOXES.items():
        stride = level_of(box, pyramid)
        for method in METHODS:
            print_row(name, method, pyramid[stride], np.array([box], np.float32), stride)
    many = random_boxes(1000, picture.shape)
    for method in METHODS:
        print_row("1000 at random", method, pyramid[4], many, 4)
    print(
        "\ncells: area of the box; lost: what rounding leaves out of it; gained: what rounding takes in around\n"
        "it (means of 1000 boxes in the last rows); to ONNX Runtime: largest difference to its MaxRoiPool and RoiAlign"
    )
    for draw, file in ((draw_explanation, "explain.png"), (draw_crops, "crops.png")):
        draw(picture, pyramid, BOXES).savefig(FOLDER / file, dpi=110)
        print(f"wrote {FOLDER / file}")


def level_of(box: tuple[float, ...], pyramid: Mapping[int, Array]) -> int:
    """Return the stride at which the box is about as many cells wide as the output has bins."""
    x1, y1, x2, y2 = box
    cells = {stride: np.sqrt((x2 - x1) * (y2 - y1)) / stride for stride in pyramid}
    return min(cells, key=lambda stride: abs(np.log(cells[stride] / OUTPUT_SIZE)))


def random_boxes(count: int, shape: tuple[int, ...]) -> Array:
    """Return boxes of 16 to 200 pixels a side inside the picture."""
    random = np.random.default_rng(0)
    sides = np.exp(random.uniform(np.log(16), np.log(200), (count, 2)))
    corners = random.uniform(0, 1, (count, 2)) * (np.array([shape[1], shape[0]]) - sides)
    return np.hstack([corners, corners + sides]).astype(np.float32)


def print_row(name: str, method: Method, features: Array, boxes: Array, stride: int) -> None:
    """Run one method, check it against ONNX Runtime and print what came out."""
    call = partial(method.run, features, boxes, OUTPUT_SIZE, spatial_scale=1 / stride, **method.options)
    result, seconds = call(), []
    while len(seconds) < 20:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    difference = np.abs(result - onnx_result(method, features, boxes, stride)).max()
    explanations = [
        ra.explain(box, OUTPUT_SIZE, spatial_scale=1 / stride, map_size=features.shape[2:]) for box in boxes
    ]
    areas = np.mean([(e.roi_area, e.loss_area, e.gain_area) for e in explanations], axis=0)
    if method.run is ra.roi_align:
        areas[1:] = 0.0
    shape = " x ".join(str(size) for size in result.shape)
    print(
        f"{name:<15}{stride:>6}  {method.name:<11}{shape:<18}{1e3 * np.median(seconds):>8.3f}"
        f"{areas[0]:>9.2f}{areas[1]:>8.2f}{areas[2]:>8.2f}{difference:>17.1e}"
    )


def onnx_result(method: Method, features: Array, boxes: Array, stride: int) -> Array:
    """Run the operator of ONNX Runtime that does the same."""
    floats, indices = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    batch_indices = np.zeros(len(boxes), np.int64)
    if method.node == "MaxRoiPool":
        inputs = {"features": (floats, features), "boxes": (floats, np.insert(boxes, 0, 0, axis=1))}
    else:
        inputs = {"features": (floats, features), "boxes": (floats, boxes), "batch": (indices, batch_indices)}
    node = helper.make_node(method.node, list(inputs), ["out"], spatial_scale=1 / stride, **method.attributes)
    graph = helper.make_graph(
        [node],
        method.node,
        [helper.make_tensor_value_info(name, kind, array.shape) for name, (kind, array) in inputs.items()],
        [helper.make_tensor_value_info("out", floats, [None] * 4)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: Array = session.run(None, {name: array for name, (_, array) in inputs.items()})[0]
    return result


if __name__ == "__main__":
    main()
