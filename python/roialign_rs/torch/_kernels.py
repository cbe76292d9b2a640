"""Any operator of the core on CPU tensors with (K, 5) boxes, without autograd.

`maps` are one map or those of a pyramid, in which ``stages`` has the map of each box.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

import roialign_rs as ra
from roialign_rs import _call
from roialign_rs._core import Operator
from roialign_rs.torch._memory import as_array, as_tensor
from roialign_rs.torch._threads import follow_torch


@follow_torch
def forward(
    op: Operator,
    maps: Sequence[Tensor],
    boxes: Tensor,
    size: tuple[int, int],
    scales: Sequence[float],
    stages: Tensor | None = None,
    with_argmax: bool = False,
) -> Any:
    """Pool boxes: the result, or (result, argmax as int64)."""
    arrays, table, levels = [as_array(one) for one in maps], as_array(boxes), _levels(stages)
    pooled = _call.forward(
        op, arrays, table, None, size, list(scales), levels, with_argmax, "NCHW", None, "raise", None
    )
    return tuple(as_tensor(one) for one in pooled) if with_argmax else as_tensor(pooled)


@follow_torch
def backward(
    op: Operator,
    grad: Tensor,
    boxes: Tensor,
    shapes: Sequence[Sequence[int]],
    scales: Sequence[float],
    stages: Tensor | None = None,
    argmax: Tensor | None = None,
) -> list[Tensor]:
    """Gradient for each map."""
    sides = [(images, channels, height, width) for images, channels, height, width in shapes]
    places = None if argmax is None else as_array(argmax)
    array, table, levels = as_array(grad), as_array(boxes), _levels(stages)
    gradients: Any = _call.backward(
        op, array, table, None, sides, list(scales), levels, places, False, "NCHW", None, "raise", None
    )
    return [as_tensor(gradient) for gradient in gradients]


@follow_torch
def box_gradient(
    op: Operator,
    grad: Tensor,
    maps: Sequence[Tensor],
    boxes: Tensor,
    scales: Sequence[float],
    stages: Tensor | None = None,
) -> Tensor:
    """Gradient for the boxes, with 0 for the batch index."""
    arrays, table, levels = [as_array(one) for one in maps], as_array(boxes), _levels(stages)
    gradient = _call.box_gradient(op, as_array(grad), arrays, table, None, list(scales), levels, "NCHW", None, "raise")
    return as_tensor(gradient).to(boxes.dtype)


def _levels(stages: Tensor | None) -> _call.Levels | None:
    return None if stages is None else _call.as_levels(224, 4, "torchvision", as_array(stages))


def assign_stages(
    boxes: Tensor, num_stages: int, min_level: int, canonical_size: float, canonical_level: int
) -> Tensor:
    """Return the index of the map of each (K, 5) box."""
    stages = ra.assign_stages(
        as_array(boxes)[:, 1:],
        num_stages,
        min_level=min_level,
        canonical_size=canonical_size,
        canonical_level=canonical_level,
        rule="torchvision",
    )
    return as_tensor(stages)
