"""A replacement for torchvision's pooler of several maps: one call, without copies for each map."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from roialign_rs.torch import _pyramid
from roialign_rs.torch._arguments import as_boxes

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Mapper = Callable[[Sequence[Tensor]], Tensor]


def fits(
    features: Sequence[Tensor], boxes: Sequence[Tensor], output_size: Sequence[int], scales: Sequence[float]
) -> bool:
    """Whether these are several maps, boxes and bins that one call supports: one float dtype, plain CPU tensors."""
    if len(features) < 2 or len(scales) != len(features) or not boxes or min(output_size) < 1:
        return False
    first = features[0]
    return (
        first.dtype in FLOATS
        and all(_is_plain(one, first.dtype) for one in (*features, *boxes))
        and first.dim() == 4
        and all(one.dim() == 4 and one.shape[:2] == first.shape[:2] for one in features)
        and all(part.dim() == 2 and part.size(1) == 4 for part in boxes)
    )


def _is_plain(tensor: Tensor, dtype: torch.dtype) -> bool:
    # Fake tensors and other subclasses mean something else by an operator than its kernel.
    return (
        type(tensor) in (Tensor, nn.Parameter)
        and tensor.dtype == dtype
        and tensor.device.type == "cpu"
        and tensor.layout == torch.strided
    )


def pool(
    features: Sequence[Tensor],
    boxes: Sequence[Tensor],
    output_size: Sequence[int],
    sampling_ratio: int,
    scales: Sequence[float],
    mapper: Mapper,
) -> Tensor:
    """Pool each box from the map that torchvision's mapper chooses."""
    stages = mapper(boxes)
    # No map where levels between the maps are left out, or where an inverted box has no level: torchvision gives 0.
    nowhere = (stages < 0) | (stages >= len(features))
    height, width = output_size
    pooled = _pyramid.multiscale_roi_align(
        features,
        as_boxes(boxes),
        stages.masked_fill(nowhere, 0),
        scales,
        height,
        width,
        sampling_ratio,
        False,
    )
    return pooled.masked_fill(nowhere[:, None, None, None], 0) if nowhere.any() else pooled
