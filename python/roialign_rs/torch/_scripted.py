"""Variants of the functions for ``torch.jit.script``, which does not support keyword-only arguments.

The compiler gets them through ``__prepare_scriptable__``. They call the same operators. TorchScript reads annotations
at run time, so there is no ``from __future__ import annotations``.
"""

import torch
from torch import Tensor, nn
from torch.jit.annotations import BroadcastingList2


def roi_align(
    input: Tensor,
    boxes: Tensor | list[Tensor],
    output_size: BroadcastingList2[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
    box_grad: bool = False,
) -> Tensor:
    """Pool like `roialign_rs.torch.roi_align`."""
    height, width = output_size
    return torch.ops.roialign_rs.roi_align(
        input, as_boxes(boxes), spatial_scale, height, width, sampling_ratio, aligned, box_grad
    )


def roi_pool(
    input: Tensor,
    boxes: Tensor | list[Tensor],
    output_size: BroadcastingList2[int],
    spatial_scale: float = 1.0,
    box_grad: bool = False,
) -> Tensor:
    """Pool like `roialign_rs.torch.roi_pool`."""
    if box_grad:
        raise ValueError("box_grad must be False: roi_pool rounds boxes, so they have no gradient; use roi_align")
    height, width = output_size
    with_argmax = torch.is_grad_enabled() and input.requires_grad
    return torch.ops.roialign_rs.roi_pool(input, as_boxes(boxes), spatial_scale, height, width, with_argmax)[0]


def as_boxes(boxes: Tensor | list[Tensor]) -> Tensor:
    """Convert torchvision's two forms of boxes to one (K, 5) tensor with the batch index first."""
    if isinstance(boxes, Tensor):
        if boxes.dim() != 2 or boxes.size(1) != 5:
            raise ValueError(f"boxes: expected shape (K, 5), the batch index first, got {boxes.shape}")
        return boxes
    parts: list[Tensor] = []
    for i, part in enumerate(boxes):
        if part.dim() != 2 or part.size(1) != 4:
            raise ValueError(f"boxes[{i}]: expected shape (K, 4), got {part.shape}")
        # 16 bits hold no image's number above 2048 (float16) or 256 (bfloat16).
        wide = part if part.element_size() > 2 else part.float()
        parts.append(nn.functional.pad(wide, [1, 0], value=float(i)))
    return torch.cat(parts)
