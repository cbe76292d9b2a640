"""RoI Align on a feature pyramid as PyTorch operators: kernels, shapes of results, gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from roialign_rs import _core
from roialign_rs._core import Operator
from roialign_rs.torch import _forward_mode, _kernels
from roialign_rs.torch._operators import define, finish_gradient, like_boxes, like_result


def _align(sampling_ratio: int) -> Operator:
    return _core.RoiAlign(sampling_ratio, False, "avg", "center")


def _pool(
    features: Sequence[Tensor],
    boxes: Tensor,
    stages: Tensor,
    scales: Sequence[float],
    height: int,
    width: int,
    sampling_ratio: int,
    box_grad: bool,
) -> Any:
    return _kernels.forward(_align(sampling_ratio), features, boxes, (height, width), scales, stages)


def _gradients(
    grad: Tensor,
    boxes: Tensor,
    stages: Tensor,
    sides: Sequence[int],
    images: int,
    scales: Sequence[float],
    sampling_ratio: int,
) -> list[Tensor]:
    return _kernels.backward(_align(sampling_ratio), grad, boxes, _shapes(grad, sides, images), scales, stages)


def _box_gradient(
    grad: Tensor,
    features: Sequence[Tensor],
    boxes: Tensor,
    stages: Tensor,
    scales: Sequence[float],
    sampling_ratio: int,
) -> Tensor:
    return _kernels.box_gradient(_align(sampling_ratio), grad, features, boxes, scales, stages)


def _shapes(grad: Tensor, sides: Sequence[int], images: int) -> list[tuple[int, ...]]:
    """Shapes of the maps. Operators take lists of integers, not of shapes: height and width of each map in turn."""
    return [(images, grad.size(1), *side) for side in zip(sides[::2], sides[1::2], strict=True)]


assign_stages = define(
    "assign_stages",
    "(Tensor boxes, SymInt num_stages, SymInt min_level, float canonical_size, SymInt canonical_level) -> Tensor",
    _kernels.assign_stages,
    lambda boxes, *_: boxes.new_empty(boxes.size(0), dtype=torch.int64),
)
multiscale_roi_align = define(
    "multiscale_roi_align",
    "(Tensor[] features, Tensor boxes, Tensor stages, float[] spatial_scales, SymInt pooled_height, SymInt pooled_width, "
    "SymInt sampling_ratio, bool box_grad) -> Tensor",
    _pool,
    lambda features, boxes, stages, scales, height, width, *_: like_result(features[0], boxes, height, width),
)
multiscale_roi_align_backward = define(
    "multiscale_roi_align_backward",
    "(Tensor grad, Tensor boxes, Tensor stages, SymInt[] sides, SymInt images, float[] spatial_scales, "
    "SymInt sampling_ratio) -> Tensor[]",
    _gradients,
    lambda grad, boxes, stages, sides, images, *_: [grad.new_empty(shape) for shape in _shapes(grad, sides, images)],
)
multiscale_roi_align_box_gradient = define(
    "multiscale_roi_align_box_gradient",
    "(Tensor grad, Tensor[] features, Tensor boxes, Tensor stages, float[] spatial_scales, SymInt sampling_ratio) -> "
    "Tensor",
    _box_gradient,
    lambda grad, features, boxes, *_: like_boxes(boxes),
)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    features, boxes, stages, scales, _, _, sampling_ratio, box_grad = inputs
    ctx.save_for_backward(boxes, stages, *(features if box_grad else ()))
    ctx.images = features[0].size(0)
    ctx.sides = [side for one in features for side in one.shape[2:]]
    ctx.options = (scales, sampling_ratio)
    ctx.box_grad = box_grad


def _backward(ctx: Any, grad: Tensor) -> tuple[list[Tensor] | list[None] | Tensor | None, ...]:
    boxes, stages, *features = ctx.saved_tensors
    maps: list[Tensor] | list[None] = [None] * (len(ctx.sides) // 2)
    if any(ctx.needs_input_grad[0]):
        maps = multiscale_roi_align_backward(grad, boxes, stages, ctx.sides, ctx.images, *ctx.options)
    grad_boxes = None
    if ctx.needs_input_grad[1] and ctx.box_grad:
        grad_boxes = multiscale_roi_align_box_gradient(grad, features, boxes, stages, *ctx.options)
    return (maps, grad_boxes, *[None] * 6)


multiscale_roi_align.register_autograd(_backward, setup_context=_save)
_forward_mode.linear(multiscale_roi_align)
finish_gradient(multiscale_roi_align_backward)
finish_gradient(multiscale_roi_align_box_gradient)
