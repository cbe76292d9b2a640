"""The functions of this package on CPU tensors, with torchvision's order of arguments and without autograd."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import roialign_rs as ra
from roialign_rs.torch._memory import as_array, as_tensor
from roialign_rs.torch._threads import follow_torch


@follow_torch
def roi_align(
    features: Tensor, boxes: Tensor, spatial_scale: float, height: int, width: int, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Pool (K, 5) boxes."""
    pooled = ra.roi_align(
        as_array(features),
        as_array(boxes),
        (height, width),
        spatial_scale=spatial_scale,
        sampling_ratio=sampling_ratio,
        aligned=aligned,
    )
    return as_tensor(pooled)


@follow_torch
def roi_align_backward(
    grad: Tensor, boxes: Tensor, input_shape: Sequence[int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Gradient for the features."""
    gradient = ra.roi_align_backward(
        as_array(grad),
        as_array(boxes),
        tuple(input_shape),
        spatial_scale=spatial_scale,
        sampling_ratio=sampling_ratio,
        aligned=aligned,
    )
    return as_tensor(gradient)


@follow_torch
def roi_align_box_gradient(
    grad: Tensor, features: Tensor, boxes: Tensor, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Gradient for (K, 5) boxes, with 0 for the batch index."""
    gradient = ra.roi_align_box_gradient(
        as_array(grad),
        as_array(features),
        as_array(boxes),
        spatial_scale=spatial_scale,
        sampling_ratio=sampling_ratio,
        aligned=aligned,
    )
    return as_tensor(gradient).to(boxes.dtype)


@follow_torch
def roi_pool(
    features: Tensor, boxes: Tensor, spatial_scale: float, height: int, width: int, with_argmax: bool = True
) -> tuple[Tensor, Tensor]:
    """Pool (K, 5) boxes. Also return the argmax as int64, or an empty tensor."""
    args = (as_array(features), as_array(boxes), (height, width))
    if not with_argmax:
        return as_tensor(ra.roi_pool(*args, spatial_scale=spatial_scale)), torch.empty(0, dtype=torch.int64)
    pooled, argmax = ra.roi_pool(*args, spatial_scale=spatial_scale, return_argmax=True)
    return as_tensor(pooled), as_tensor(argmax)


@follow_torch
def roi_pool_backward(
    grad: Tensor, argmax: Tensor, boxes: Tensor, input_shape: Sequence[int], spatial_scale: float
) -> Tensor:
    """Gradient for the features."""
    gradient = ra.roi_pool_backward(
        as_array(grad),
        argmax=as_array(argmax),
        boxes=as_array(boxes),
        input_shape=tuple(input_shape),
        spatial_scale=spatial_scale,
    )
    return as_tensor(gradient)


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


@follow_torch
def multiscale_roi_align(
    features: Sequence[Tensor],
    boxes: Tensor,
    stages: Tensor,
    spatial_scales: Sequence[float],
    height: int,
    width: int,
    sampling_ratio: int,
) -> Tensor:
    """Pool each (K, 5) box from its map."""
    pooled = ra.multiscale_roi_align(
        [as_array(one) for one in features],
        as_array(boxes),
        (height, width),
        spatial_scales=tuple(spatial_scales),
        sampling_ratio=sampling_ratio,
        aligned=False,
        stages=as_array(stages),
    )
    return as_tensor(pooled)


@follow_torch
def multiscale_roi_align_backward(
    grad: Tensor,
    boxes: Tensor,
    stages: Tensor,
    input_shapes: Sequence[tuple[int, ...]],
    spatial_scales: Sequence[float],
    sampling_ratio: int,
) -> list[Tensor]:
    """Gradient for each map."""
    gradients = ra.multiscale_roi_align_backward(
        as_array(grad),
        as_array(boxes),
        input_shapes,
        spatial_scales=tuple(spatial_scales),
        sampling_ratio=sampling_ratio,
        aligned=False,
        stages=as_array(stages),
    )
    return [as_tensor(gradient) for gradient in gradients]
