"""The one way from every public function to the Rust core: convert the arrays, call it once.

Numbers, switches and words pass as they are, because the core converts and checks them. `maps` are one or more feature
maps. `levels` says how boxes are assigned to the maps of a pyramid, and is None for an operator on one map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import (
    Boxes,
    argmax as as_argmax,
    boxes as as_boxes,
    device as as_device,
    features as as_features,
    indices,
    sequence,
)
from roialign_rs._core import DeviceArray, Operator

Maps: TypeAlias = list[Any]
"""Arrays of NumPy, or arrays on a device."""
Shape: TypeAlias = tuple[int, int, int, int]
Levels: TypeAlias = tuple[float, int, str, NDArray[np.int64] | None]
"""Canonical size, canonical level, rule, and the map of each box if the caller chose it."""


def forward(
    op: Operator,
    maps: Maps,
    boxes: Boxes,
    batch_indices: ArrayLike | None,
    output_size: Any,
    spatial_scales: Sequence[float],
    levels: Levels | None,
    return_argmax: bool,
    layout: str,
    out: Any,
    invalid: str,
    device: Any,
) -> Any:
    """Pool boxes: the result, or (result, argmax)."""
    table, batch_indices = as_boxes(boxes, batch_indices, len(maps[0]) if maps and maps[0].ndim else 0)
    return _core.forward(
        op,
        maps,
        table,
        batch_indices,
        output_size,
        spatial_scales,
        levels,
        return_argmax,
        layout,
        out,
        invalid,
        as_device(device),
    )


def backward(
    op: Operator,
    grad_output: Any,
    boxes: Boxes,
    batch_indices: ArrayLike | None,
    input_shapes: list[Shape],
    spatial_scales: Sequence[float],
    levels: Levels | None,
    argmax: Any,
    accumulate: bool,
    layout: str,
    outs: list[Any] | None,
    invalid: str,
    device: Any,
) -> list[NDArray[Any]] | list[DeviceArray]:
    """Return the gradient for each map."""
    table, batch_indices = as_boxes(boxes, batch_indices, input_shapes[0][0] if input_shapes else 0)
    return _core.backward(
        op,
        as_features(grad_output, "grad_output"),
        table,
        batch_indices,
        input_shapes,
        spatial_scales,
        levels,
        as_argmax(argmax),
        accumulate,
        layout,
        outs,
        invalid,
        as_device(device),
    )


def box_gradient(
    op: Operator,
    grad_output: Any,
    maps: Maps,
    boxes: Boxes,
    batch_indices: ArrayLike | None,
    spatial_scales: Sequence[float],
    levels: Levels | None,
    layout: str,
    out: Any,
    invalid: str,
) -> NDArray[Any]:
    """Return the gradient for the boxes, in their columns."""
    table, batch_indices = as_boxes(boxes, batch_indices, len(maps[0]) if maps and maps[0].ndim else 0)
    grads = as_features(grad_output, "grad_output")
    return _core.box_gradient(op, grads, maps, table, batch_indices, spatial_scales, levels, layout, out, invalid)


def as_maps(features_list: Any) -> Maps:
    """Return the maps of a pyramid as arrays."""
    features_list = sequence("features_list", features_list)
    return [as_features(features, f"features_list[{i}]") for i, features in enumerate(features_list)]


def as_levels(canonical_size: float, canonical_level: int, rule: str, stages: ArrayLike | None) -> Levels:
    """Return the rule by which boxes are assigned to maps, or the map of each box."""
    return canonical_size, canonical_level, rule, None if stages is None else indices("stages", stages)
