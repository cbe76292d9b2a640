"""What these functions take: torchvision's forms of boxes and sizes, dense CPU tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def check_input(name: str, tensor: Tensor) -> None:
    """Refuse what is not a dense (N, C, H, W) tensor on the CPU, and say what to do instead."""
    if tensor.layout != torch.strided:
        raise NotImplementedError(f"{name} is sparse: call .to_dense() on it")
    check_device(name, tensor)
    if tensor.is_quantized:
        raise NotImplementedError(f"{name} is quantized: call .dequantize() on it, or use torchvision.ops")
    if tensor.dim() != 4:
        raise ValueError(f"{name}: expected 4 dimensions (N, C, H, W), got shape {tuple(tensor.shape)}")


def check_device(name: str, tensor: Tensor) -> None:
    """Refuse tensors that are elsewhere; meta tensors pass, they give meta results."""
    if tensor.device.type not in ("cpu", "meta"):
        raise NotImplementedError(
            f"{name} is on {tensor.device}, these kernels run on the CPU: call .cpu() on it, or use torchvision.ops"
        )


def as_boxes(boxes: Tensor | Sequence[Tensor]) -> Tensor:
    """One (K, 5) tensor, the image's number first, of torchvision's two forms."""
    if isinstance(boxes, Tensor):
        check_device("boxes", boxes)
        if boxes.dim() != 2 or boxes.size(1) != 5:
            raise ValueError(f"boxes: expected shape (K, 5), the image first, got {tuple(boxes.shape)}")
        return boxes
    if not isinstance(boxes, (list, tuple)) or not boxes or not all(isinstance(part, Tensor) for part in boxes):
        raise TypeError("boxes must be a (K, 5) tensor, or a list of one (K, 4) tensor for each image")
    for i, part in enumerate(boxes):
        check_device(f"boxes[{i}]", part)
        if part.dim() != 2 or part.size(1) != 4:
            raise ValueError(f"boxes[{i}]: expected shape (K, 4), got {tuple(part.shape)}")
    # 16 bits hold no image's number above 2048 (float16) or 256 (bfloat16).
    wide = [part if part.dtype.itemsize > 2 else part.float() for part in boxes]
    return torch.cat([torch.nn.functional.pad(part, (1, 0), value=float(i)) for i, part in enumerate(wide)])


def as_size(output_size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width)."""
    if isinstance(output_size, (list, tuple)):
        if len(output_size) != 2:
            raise ValueError(f"output_size: expected one integer or (height, width), got {tuple(output_size)}")
        return output_size[0], output_size[1]
    return output_size, output_size  # type: ignore[return-value]  # a sequence of another kind is no size
