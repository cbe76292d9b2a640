"""RoI pooling as PyTorch operators: kernel, shape of the result, gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, library
from torch.autograd import forward_ad

from roialign_rs.torch import _forward_mode, _kernels
from roialign_rs.torch._align import no_second_gradient


@library.custom_op("roialign_rs::roi_pool", mutates_args=(), device_types="cpu")
def roi_pool(
    features: Tensor, boxes: Tensor, spatial_scale: float, pooled_height: int, pooled_width: int, with_argmax: bool
) -> tuple[Tensor, Tensor]:
    """Pool (K, 5) boxes. Also return the argmax, or an empty tensor if it is not needed."""
    return _kernels.roi_pool(features, boxes, spatial_scale, pooled_height, pooled_width, with_argmax)


@roi_pool.register_fake
def _(
    features: Tensor, boxes: Tensor, spatial_scale: float, pooled_height: int, pooled_width: int, with_argmax: bool
) -> tuple[Tensor, Tensor]:
    shape = (boxes.size(0), features.size(1), pooled_height, pooled_width)
    dtype = torch.float32 if features.dtype == torch.uint8 else features.dtype
    return features.new_empty(shape, dtype=dtype), features.new_empty(shape if with_argmax else 0, dtype=torch.int64)


@library.custom_op("roialign_rs::roi_pool_backward", mutates_args=(), device_types="cpu")
def roi_pool_backward(
    grad: Tensor, argmax: Tensor, boxes: Tensor, input_shape: Sequence[int], spatial_scale: float
) -> Tensor:
    """Gradient for the features."""
    return _kernels.roi_pool_backward(grad, argmax, boxes, input_shape, spatial_scale)


@roi_pool_backward.register_fake
def _(grad: Tensor, argmax: Tensor, boxes: Tensor, input_shape: Sequence[int], spatial_scale: float) -> Tensor:
    return grad.new_empty(input_shape)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    features, boxes, spatial_scale, _, _, _ = inputs
    argmax = output[1]
    ctx.mark_non_differentiable(argmax)
    ctx.save_for_backward(boxes, argmax)
    ctx.input_shape = features.shape
    ctx.spatial_scale = spatial_scale


def _backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    boxes, argmax = ctx.saved_tensors
    grad_input = None
    if ctx.needs_input_grad[0]:
        grad_input = roi_pool_backward(grad, argmax, boxes, ctx.input_shape, ctx.spatial_scale)
    return (grad_input, *[None] * 5)


roi_pool.register_autograd(_backward, setup_context=_setup)
roi_pool_backward.register_autograd(no_second_gradient)


def _with_tangent(tangent: Tensor, features: Tensor, boxes: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    """Forward-mode rule: pool, and read the tangent at the argmax of each bin."""
    *options, _ = args
    pooled, argmax = roi_pool(features, boxes, *options, True)
    channels = tangent.size(1)
    planes = boxes[:, :1].long() * channels + torch.arange(channels)
    places = planes[:, :, None, None] * tangent[0, 0].numel() + argmax
    read = tangent.reshape(-1)[places.clamp(min=0)].masked_fill(argmax < 0, 0)
    return forward_ad.make_dual(pooled, read, level=_forward_mode.LEVEL), argmax


_forward_mode.register(roi_pool, _with_tangent)
_forward_mode.linear(roi_pool_backward)
