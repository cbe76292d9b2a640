"""RoI Align as PyTorch operators: kernel, shape of the result, gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, library

from roialign_rs.torch import _forward_mode, _kernels


@library.custom_op("roialign_rs::roi_align", mutates_args=(), device_types="cpu")
def roi_align(
    features: Tensor,
    boxes: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
    box_grad: bool,
) -> Tensor:
    """Pool (K, 5) boxes. ``box_grad`` is for the backward pass."""
    return _kernels.roi_align(features, boxes, spatial_scale, pooled_height, pooled_width, sampling_ratio, aligned)


@roi_align.register_fake
def _(
    features: Tensor,
    boxes: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
    box_grad: bool,
) -> Tensor:
    dtype = torch.float32 if features.dtype == torch.uint8 else features.dtype
    return features.new_empty((boxes.size(0), features.size(1), pooled_height, pooled_width), dtype=dtype)


@library.custom_op("roialign_rs::roi_align_backward", mutates_args=(), device_types="cpu")
def roi_align_backward(
    grad: Tensor, boxes: Tensor, input_shape: Sequence[int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Gradient for the features."""
    return _kernels.roi_align_backward(grad, boxes, input_shape, spatial_scale, sampling_ratio, aligned)


@roi_align_backward.register_fake
def _(
    grad: Tensor, boxes: Tensor, input_shape: Sequence[int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    return grad.new_empty(input_shape)


@library.custom_op("roialign_rs::roi_align_box_gradient", mutates_args=(), device_types="cpu")
def roi_align_box_gradient(
    grad: Tensor, features: Tensor, boxes: Tensor, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Gradient for (K, 5) boxes."""
    return _kernels.roi_align_box_gradient(grad, features, boxes, spatial_scale, sampling_ratio, aligned)


@roi_align_box_gradient.register_fake
def _(
    grad: Tensor, features: Tensor, boxes: Tensor, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    return torch.empty_like(boxes, memory_format=torch.contiguous_format)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    features, boxes, spatial_scale, _, _, sampling_ratio, aligned, box_grad = inputs
    ctx.save_for_backward(boxes, features if box_grad else None)
    ctx.input_shape = features.shape
    ctx.options = (spatial_scale, sampling_ratio, aligned)
    ctx.box_grad = box_grad


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    boxes, features = ctx.saved_tensors
    grad_input = grad_boxes = None
    if ctx.needs_input_grad[0]:
        grad_input = roi_align_backward(grad, boxes, ctx.input_shape, *ctx.options)
    if ctx.needs_input_grad[1] and ctx.box_grad:
        grad_boxes = roi_align_box_gradient(grad, features, boxes, *ctx.options)
    return (grad_input, grad_boxes, *[None] * 6)


def no_second_gradient(ctx: Any, *grads: Tensor) -> None:
    """Backward pass of a backward operator: raise an error."""
    raise RuntimeError(
        "RoI operators cannot be differentiated twice: call backward() or grad() without create_graph=True, "
        "or detach() their gradient before it is used in another loss"
    )


roi_align.register_autograd(_backward, setup_context=_setup)
roi_align_backward.register_autograd(no_second_gradient)
roi_align_box_gradient.register_autograd(no_second_gradient)

for _operator in (roi_align, roi_align_backward, roi_align_box_gradient):
    _forward_mode.linear(_operator)
