"""Checks of arguments: dense CPU tensors, and torchvision's forms of boxes and sizes.

The dispatcher reports a wrong type with the schema of the operator; these checks name the argument. While PyTorch
traces, numbers may be its symbols, which are accepted.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8)


def check_input(name: str, tensor: Tensor) -> None:
    """Raise an error unless this is a dense (N, C, H, W) tensor of a supported dtype on the CPU."""
    if not isinstance(tensor, Tensor):
        hint = ": call torch.from_numpy on it" if isinstance(tensor, np.ndarray) else ""
        raise TypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}{hint}")
    check_dense(name, tensor)
    if tensor.dtype not in _DTYPES:
        raise TypeError(
            f"{name}: dtype {tensor.dtype} is not supported; use float16, bfloat16, float32, float64 or uint8"
        )
    if tensor.dim() != 4:
        raise ValueError(f"{name}: expected 4 dimensions (N, C, H, W), got shape {tuple(tensor.shape)}")


def check_dense(name: str, tensor: Tensor) -> None:
    """Raise an error unless the tensor is dense and on the CPU. Meta tensors are accepted; they give meta results."""
    if tensor.layout != torch.strided:
        raise NotImplementedError(f"{name} is sparse: call .to_dense() on it")
    if tensor.is_quantized:
        raise NotImplementedError(f"{name} is quantized: call .dequantize() on it, or use torchvision.ops")
    if tensor.device.type not in ("cpu", "meta"):
        raise NotImplementedError(
            f"{name} is on {tensor.device}, but these kernels run on the CPU: call .cpu() on it, or use torchvision.ops"
        )


def check_cells(name: str, tensor: Tensor, boxes: Tensor) -> None:
    """Raise an error if there are boxes but the tensor has no cells. Compiled code leaves this to the kernel."""
    if torch.compiler.is_compiling():  # it would add guards on sizes that may be symbols
        return
    images, _, height, width = tensor.shape
    if 0 in (images, height, width) and boxes.size(0):
        raise ValueError(
            f"{name}: cannot pool {boxes.size(0)} boxes from an empty tensor of shape {tuple(tensor.shape)}"
        )


def as_boxes(boxes: Tensor | Sequence[Tensor]) -> Tensor:
    """Convert torchvision's two forms of boxes to one (K, 5) tensor with the batch index first."""
    if isinstance(boxes, Tensor):
        check_dense("boxes", boxes)
        if boxes.dim() != 2 or boxes.size(1) != 5:
            raise ValueError(f"boxes: expected shape (K, 5), the batch index first, got {tuple(boxes.shape)}")
        return boxes
    if not isinstance(boxes, (list, tuple)) or not boxes or not all(isinstance(part, Tensor) for part in boxes):
        got = type(boxes).__name__
        if isinstance(boxes, (list, tuple)):
            got += f" of {', '.join(sorted({type(part).__name__ for part in boxes})) or 'no tensors'}"
        raise TypeError(f"boxes must be a (K, 5) tensor, or a list of one (K, 4) tensor for each image, got {got}")
    for i, part in enumerate(boxes):
        check_dense(f"boxes[{i}]", part)
        if part.dim() != 2 or part.size(1) != 4:
            raise ValueError(f"boxes[{i}]: expected shape (K, 4), got {tuple(part.shape)}")
    parts = [_widened(part) for part in boxes]
    return torch.cat([torch.nn.functional.pad(part, (1, 0), value=float(i)) for i, part in enumerate(parts)])


def as_rois(boxes: Tensor | Sequence[Tensor], batch_indices: Tensor | None, images: int) -> Tensor:
    """Convert the forms of boxes that `roialign_rs` takes, as tensors, to one (K, 5) tensor with the batch index first."""
    if not isinstance(boxes, Tensor) or boxes.dim() != 2 or boxes.size(1) != 4:
        if batch_indices is not None:
            raise ValueError("batch_indices can only be given with boxes of shape (K, 4); leave it out")
        if isinstance(boxes, (list, tuple)) and len(boxes) != images:
            raise ValueError(f"boxes: expected a list of one tensor for each of {images} images, got {len(boxes)}")
        return as_boxes(boxes)
    check_dense("boxes", boxes)
    if batch_indices is None:
        if images != 1:
            raise ValueError(
                f"batch_indices is needed for boxes of shape (K, 4) and {images} images; pass it, or boxes of shape (K, 5) "
                "with the batch index first, or a list of one tensor for each image"
            )
        batch_indices = boxes.new_zeros(boxes.size(0), dtype=torch.int64)
    if not isinstance(batch_indices, Tensor) or batch_indices.is_floating_point():
        raise TypeError(f"batch_indices must be a tensor of integers, got {batch_indices!r}")
    if batch_indices.shape != boxes.shape[:1]:
        raise ValueError(f"batch_indices: expected shape ({boxes.size(0)},), got {tuple(batch_indices.shape)}")
    wide = _widened(boxes)
    return torch.cat([batch_indices.to(wide.dtype)[:, None], wide], dim=1)


def _widened(boxes: Tensor) -> Tensor:
    """Return boxes in a dtype that holds the number of any image: 16 bits end at 2048 (float16) or 256 (bfloat16)."""
    return boxes if boxes.dtype.itemsize > 2 else boxes.float()


def check_names(name: str, value: Any) -> None:
    """Raise an error unless this is a list or tuple of strings."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise TypeError(f"{name} must be a list of strings, got {value!r}")


def check_maps(x: Any) -> None:
    """Raise an error unless this is a mapping."""
    if not isinstance(x, Mapping):
        raise TypeError(f"x must be a dict of tensors, got {type(x).__name__}")


def check_image_shapes(image_shapes: Any) -> None:
    """Raise an error unless this is a list of positive (height, width)."""
    try:
        shapes = [tuple(shape) for shape in image_shapes]
    except TypeError:
        raise TypeError(f"image_shapes must be a list of (height, width), got {image_shapes!r}") from None
    for i, shape in enumerate(shapes):
        if len(shape) != 2:
            raise ValueError(f"image_shapes[{i}]: expected (height, width), got {shape}")
        for side in shape:
            if not 0 < as_number(f"image_shapes[{i}]", side) < math.inf:
                raise ValueError(f"image_shapes[{i}]: sides must be finite and positive, got {shape}")


def as_size(output_size: int | Sequence[int]) -> tuple[int, int]:
    """Return (height, width)."""
    if isinstance(output_size, (list, tuple)):
        if len(output_size) != 2:
            raise ValueError(f"output_size: expected one integer or (height, width), got {tuple(output_size)}")
        return as_integer("output_size", output_size[0]), as_integer("output_size", output_size[1])
    side = as_integer("output_size", output_size)
    return side, side


def as_integer(name: str, value: Any) -> int:
    """Return any integer as an int of 64 bits."""
    if isinstance(value, torch.SymInt):
        return value
    try:
        number = operator.index(value)
    except TypeError:
        pair = " or a pair of integers" if name == "output_size" else ""
        raise TypeError(f"{name} must be an integer{pair}, got {value!r}") from None
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{name} must fit in 64 bits, got {number}")
    return number


def as_number(name: str, value: Any) -> float:
    """Return any number as a float."""
    if isinstance(value, (float, torch.SymFloat, torch.SymInt)):
        return value
    if not hasattr(value, "__float__") and not hasattr(value, "__index__"):  # float() would read a string
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be finite and positive, got an integer beyond the range of a float") from None
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None


def as_flag(name: str, value: Any) -> bool:
    """Return a bool of Python or NumPy, or 0 or 1, as a bool."""
    if isinstance(value, (int, np.integer, np.bool_)) and value in (0, 1):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {value!r}")
