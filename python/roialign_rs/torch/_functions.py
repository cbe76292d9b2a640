"""The functions of ``torchvision.ops``, with its signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.fx
from torch import Tensor

from roialign_rs.torch import _operators, _scripted
from roialign_rs.torch._arguments import (
    as_boxes,
    as_flag,
    as_integer,
    as_number,
    as_rois,
    as_size,
    check_cells,
    check_input,
)


@torch.fx.wrap
def roi_align(
    input: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
    *,
    box_grad: bool = False,
) -> Tensor:
    """Cut boxes out of feature maps and resize each to a grid of the same size, as ``torchvision.ops.roi_align``.

    Each box is divided into bins. The result of a bin is the mean of bilinear samples at regular points in it.

    Parameters
    ----------
    input : (N, C, H, W) tensor of float16, bfloat16, float32, float64 or uint8
        Feature maps of N images with C channels, on the CPU, with any strides (such as ``channels_last``). Not copied.
    boxes : (K, 5) tensor, or list of N (K_i, 4) tensors
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) tensor the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i. The dtype may differ from that of ``input``,
        unlike in torchvision. Coordinates are computed in float64 if the boxes have float64, otherwise in float32.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    sampling_ratio : int, default -1
        Samples per bin along each axis, at most 65536. If 0 or less, ``ceil(side of the bin in map cells)``.
    aligned : bool, default False
        True shifts boxes by half a map cell, so that integer coordinates are pixel edges. False: no shift, and sides
        shorter than one map cell are widened to one. The default is that of torchvision; `roialign_rs.roi_align` has
        True.
    box_grad : bool, default False
        Compute the gradient for ``boxes`` too. With False boxes have no gradient, as in torchvision, even if they
        require one.

    Returns
    -------
    (K, C, height, width) tensor
        One grid for each box, contiguous, with the dtype of ``input`` (float32 for uint8).

    Raises
    ------
    NotImplementedError
        If a tensor is sparse, quantized or not on the CPU.
    ValueError
        If a shape or a value is not valid, such as a box with NaN or a batch index of no image.
    TypeError
        If the dtype or the type of an argument is not supported, such as an array instead of a tensor.

    See Also
    --------
    RoIAlign : The same as a module.
    roialign_rs.roi_align : The operator on NumPy arrays, with more options.

    Notes
    -----
    It works with autograd, autocast, ``torch.compile(fullgraph=True)``, ``torch.export``, ``torch.jit.script`` and meta
    tensors. A process that loads a saved script must import this module first. 16-bit floats are computed in float32
    and rounded once.

    Forward-mode differentiation is supported for ``input`` alone; a tangent of the boxes raises NotImplementedError. A
    second derivative raises RuntimeError.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the four bins of the box (1, 1, 3, 3) are centred on the cells (1, 1) to (2, 2):

    >>> import torch
    >>> from roialign_rs.torch import roi_align
    >>> ramp = torch.arange(25.0).reshape(1, 1, 5, 5)
    >>> boxes = [torch.tensor([[1.0, 1.0, 3.0, 3.0]])]
    >>> roi_align(ramp, boxes, 2, sampling_ratio=2, aligned=True)
    tensor([[[[ 6.,  7.],
              [11., 12.]]]])

    By default, as in torchvision, they are centred half a cell further:

    >>> roi_align(ramp, boxes, 2, sampling_ratio=2)
    tensor([[[[ 9., 10.],
              [14., 15.]]]])
    """
    check_input("input", input)
    pooled: Tensor = _pool(
        _operators.roi_align,
        "input",
        input,
        as_boxes(boxes),
        output_size,
        spatial_scale,
        as_integer("sampling_ratio", sampling_ratio),
        as_flag("aligned", aligned),
        as_flag("box_grad", box_grad),
    )
    return pooled


@torch.fx.wrap
def roi_pool(
    input: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    *,
    box_grad: bool = False,
) -> Tensor:
    """Cut boxes out of feature maps and resize each to a grid of the same size, as ``torchvision.ops.roi_pool``.

    Boxes and bins are rounded to whole map cells. The result of a bin is the maximum of its cells.

    Parameters
    ----------
    input : (N, C, H, W) tensor of float16, bfloat16, float32, float64 or uint8
        Feature maps of N images with C channels, on the CPU, with any strides (such as ``channels_last``). Not copied.
    boxes : (K, 5) tensor, or list of N (K_i, 4) tensors
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) tensor the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i. The dtype may differ from that of ``input``,
        unlike in torchvision. Coordinates are computed in float64 if the boxes have float64, otherwise in float32.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    box_grad : bool, default False
        Must be False: rounded boxes have no gradient. The argument exists so that `roi_pool` and `roi_align` can be
        exchanged.

    Returns
    -------
    (K, C, height, width) tensor
        One grid for each box, contiguous, with the dtype of ``input`` (float32 for uint8).

    Raises
    ------
    NotImplementedError
        If a tensor is sparse, quantized or not on the CPU.
    ValueError
        If a shape or a value is not valid, such as a box with NaN or a batch index of no image.
    TypeError
        If the dtype or the type of an argument is not supported, such as an array instead of a tensor.

    See Also
    --------
    RoIPool : The same as a module.
    roialign_rs.roi_pool : The operator on NumPy arrays, with more options and the formula.

    Notes
    -----
    It works with autograd, compilers and transforms like `roi_align`.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the bins of the box (1, 1, 3, 3) return their last cells, (2, 2) to (3, 3):

    >>> import torch
    >>> from roialign_rs.torch import roi_pool
    >>> ramp = torch.arange(25.0).reshape(1, 1, 5, 5)
    >>> roi_pool(ramp, [torch.tensor([[1.0, 1.0, 3.0, 3.0]])], 2)
    tensor([[[[12., 13.],
              [17., 18.]]]])
    """
    if as_flag("box_grad", box_grad):
        raise ValueError("box_grad must be False: roi_pool rounds boxes, so they have no gradient; use roi_align")
    check_input("input", input)
    # The argmax takes twice as many bytes as the maxima, and only the backward pass needs it.
    with_argmax = torch.is_grad_enabled() and input.requires_grad
    pooled: Tensor = _pool(
        _operators.roi_pool, "input", input, as_boxes(boxes), output_size, spatial_scale, with_argmax
    )[0]
    return pooled


@torch.fx.wrap
def prroi_pool(
    features: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | Sequence[int],
    *,
    spatial_scale: float = 1.0,
    batch_indices: Tensor | None = None,
    box_grad: bool = False,
) -> Tensor:
    """Cut boxes out of feature maps and resize each to a grid of the same size, by exact averages.

    It does the same as `roialign_rs.prroi_pool`, which has the definition, for PyTorch tensors.

    Parameters
    ----------
    features : (N, C, H, W) tensor of float16, bfloat16, float32, float64 or uint8
        Feature maps of N images with C channels, on the CPU, with any strides (such as ``channels_last``). Not copied.
    boxes : (K, 4) or (K, 5) tensor, or list of N (K_i, 4) tensors
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) tensor the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i. Coordinates are computed in float64 if the
        boxes have float64, otherwise in float32.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    batch_indices : (K,) tensor of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    box_grad : bool, default False
        Compute the gradient for ``boxes`` too. With False boxes have no gradient, even if they require one.

    Returns
    -------
    (K, C, height, width) tensor
        One grid for each box, contiguous, with the dtype of ``features`` (float32 for uint8).

    Raises
    ------
    NotImplementedError
        If a tensor is sparse, quantized or not on the CPU.
    ValueError
        If a shape or a value is not valid, such as a box with NaN or a batch index of no image.
    TypeError
        If the dtype or the type of an argument is not supported, such as an array instead of a tensor.

    See Also
    --------
    roialign_rs.prroi_pool : The operator on NumPy arrays.

    Notes
    -----
    It works with autograd, compilers and transforms like `roi_align`, except for ``torch.jit.script``.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the mean of a bin is the value in its middle:

    >>> import torch
    >>> from roialign_rs.torch import prroi_pool
    >>> ramp = torch.arange(25.0).reshape(1, 1, 5, 5)
    >>> prroi_pool(ramp, torch.tensor([[1.0, 1.0, 3.0, 3.0]]), 2)
    tensor([[[[ 9., 10.],
              [14., 15.]]]])
    """
    check_input("features", features)
    rois = as_rois(boxes, batch_indices, features.size(0))
    options = (as_flag("box_grad", box_grad),)
    pooled: Tensor = _pool(_operators.prroi_pool, "features", features, rois, output_size, spatial_scale, *options)
    return pooled


def _pool(
    op: Any, name: str, features: Tensor, boxes: Tensor, output_size: Any, spatial_scale: Any, *options: Any
) -> Any:
    """Check the arguments that all operators have, and call the operator. ``name`` is that of the features."""
    check_cells(name, features, boxes)
    height, width = as_size(output_size)
    return op(features, boxes, as_number("spatial_scale", spatial_scale), height, width, *options)


roi_align.__prepare_scriptable__ = lambda: _scripted.roi_align
roi_pool.__prepare_scriptable__ = lambda: _scripted.roi_pool
