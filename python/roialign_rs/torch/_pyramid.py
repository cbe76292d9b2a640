"""RoI Align on a feature pyramid as PyTorch operators: kernel, shape of the result, gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, library

from roialign_rs.torch import _forward_mode, _kernels
from roialign_rs.torch._align import no_second_gradient, roi_align_box_gradient


@library.custom_op("roialign_rs::assign_stages", mutates_args=(), device_types="cpu")
def assign_stages(
    boxes: Tensor, num_stages: int, min_level: int, canonical_size: float, canonical_level: int
) -> Tensor:
    """Return the index of the map of each (K, 5) box."""
    return _kernels.assign_stages(boxes, num_stages, min_level, canonical_size, canonical_level)


@assign_stages.register_fake
def _(boxes: Tensor, num_stages: int, min_level: int, canonical_size: float, canonical_level: int) -> Tensor:
    return boxes.new_empty(boxes.size(0), dtype=torch.int64)


@library.custom_op("roialign_rs::multiscale_roi_align", mutates_args=(), device_types="cpu")
def multiscale_roi_align(
    features: Sequence[Tensor],
    boxes: Tensor,
    stages: Tensor,
    spatial_scales: Sequence[float],
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    box_grad: bool,
) -> Tensor:
    """Pool each (K, 5) box from its map. ``box_grad`` is for the backward pass."""
    return _kernels.multiscale_roi_align(
        features, boxes, stages, spatial_scales, pooled_height, pooled_width, sampling_ratio
    )


@multiscale_roi_align.register_fake
def _(
    features: Sequence[Tensor],
    boxes: Tensor,
    stages: Tensor,
    spatial_scales: Sequence[float],
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    box_grad: bool,
) -> Tensor:
    dtype = torch.float32 if features[0].dtype == torch.uint8 else features[0].dtype
    return features[0].new_empty((boxes.size(0), features[0].size(1), pooled_height, pooled_width), dtype=dtype)


@library.custom_op("roialign_rs::multiscale_roi_align_backward", mutates_args=(), device_types="cpu")
def multiscale_roi_align_backward(
    grad: Tensor,
    boxes: Tensor,
    stages: Tensor,
    sides: Sequence[int],
    images: int,
    spatial_scales: Sequence[float],
    sampling_ratio: int,
) -> list[Tensor]:
    """Gradient for each map. ``sides`` are height and width of the first map, the second map, and so on."""
    shapes = _shapes(grad, sides, images)
    return _kernels.multiscale_roi_align_backward(grad, boxes, stages, shapes, spatial_scales, sampling_ratio)


@multiscale_roi_align_backward.register_fake
def _(
    grad: Tensor,
    boxes: Tensor,
    stages: Tensor,
    sides: Sequence[int],
    images: int,
    spatial_scales: Sequence[float],
    sampling_ratio: int,
) -> list[Tensor]:
    return [grad.new_empty(shape) for shape in _shapes(grad, sides, images)]


def _shapes(grad: Tensor, sides: Sequence[int], images: int) -> list[tuple[int, ...]]:
    # Operators take lists of integers, not lists of shapes.
    return [(images, grad.size(1), *side) for side in zip(sides[::2], sides[1::2], strict=True)]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    features, boxes, stages, spatial_scales, _, _, sampling_ratio, box_grad = inputs
    ctx.save_for_backward(boxes, stages, *(features if box_grad else ()))
    ctx.images = features[0].size(0)
    ctx.sides = [side for one in features for side in one.shape[2:]]
    ctx.spatial_scales = spatial_scales
    ctx.sampling_ratio = sampling_ratio
    ctx.box_grad = box_grad


def _backward(ctx: Any, grad: Tensor) -> tuple[list[Tensor] | list[None] | Tensor | None, ...]:
    boxes, stages, *features = ctx.saved_tensors
    maps: list[Tensor] | list[None] = [None] * len(ctx.spatial_scales)
    if any(ctx.needs_input_grad[0]):
        maps = multiscale_roi_align_backward(
            grad, boxes, stages, ctx.sides, ctx.images, ctx.spatial_scales, ctx.sampling_ratio
        )
    grad_boxes = None
    if ctx.needs_input_grad[1] and ctx.box_grad:
        grad_boxes = torch.zeros_like(boxes)
        for stage, (one, spatial_scale) in enumerate(zip(features, ctx.spatial_scales, strict=True)):
            (rows,) = torch.where(stages == stage)
            part = roi_align_box_gradient(grad[rows], one, boxes[rows], spatial_scale, ctx.sampling_ratio, False)
            grad_boxes = grad_boxes.index_copy(0, rows, part)
    return (maps, grad_boxes, *[None] * 6)


multiscale_roi_align.register_autograd(_backward, setup_context=_setup)
multiscale_roi_align_backward.register_autograd(no_second_gradient)

_forward_mode.linear(multiscale_roi_align)
_forward_mode.linear(multiscale_roi_align_backward)
