"""torchvision.ops' functions, with its signatures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.fx
from torch import Tensor

from roialign_rs.torch import _align, _pool, _scripted
from roialign_rs.torch._arguments import as_boxes, as_flag, as_integer, as_number, as_size, check_cells, check_input


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
    """Pool each box by sampling it on a regular grid, as ``torchvision.ops.roi_align``.

    Parameters
    ----------
    input : (N, C, H, W) tensor of float16, bfloat16, float32, float64 or uint8
        Feature maps on the CPU, of any strides (``channels_last`` among them), read in place.
    boxes : (K, 5) tensor, or list of N (K_i, 4) tensors
        ``x1, y1, x2, y2`` in image pixels, in the tensor after the image's number. Unlike torchvision's, they may be of
        another dtype than ``input``; positions are computed in theirs, float32 for narrower ones.
    output_size : int or (int, int)
        Bins of a box: height and width.
    spatial_scale : float
        Cells of the map per image pixel: 1 / stride.
    sampling_ratio : int
        Samples of a bin along each axis. 0 or less takes one per cell of the bin, rounded up.
    aligned : bool
        Shift boxes by half a cell. False by default as in torchvision; `roialign_rs.roi_align` has True.
    box_grad : bool
        Give boxes their gradient too. False gives them none, as torchvision, even if they require it.

    Returns
    -------
    (K, C, height, width) tensor
        Contiguous, of ``input``'s dtype; float32 for uint8.

    Raises
    ------
    NotImplementedError
        For tensors that are sparse, quantized or not on the CPU.
    ValueError
        For a shape or value that does not fit, such as a box that is not finite or of an image that does not exist.
    TypeError
        For a wrong kind of argument, such as an array in place of a tensor.

    Notes
    -----
    Works under autograd, autocast, ``torch.compile(fullgraph=True)``, ``torch.export`` and ``torch.jit.script`` (a
    process that loads a saved script imports this module first), and gives meta tensors for meta tensors. 16-bit floats
    are computed in float32 and rounded once, so autocast changes nothing. Differentiating twice raises. Forward mode
    (`torch.func.jvp`, `torch.func.jacfwd`, `torch.autograd.forward_ad`) gives the derivative for ``input``; for a
    tangent of the boxes it raises NotImplementedError.

    Examples
    --------
    >>> import torch
    >>> from roialign_rs.torch import roi_align
    >>> ramp = torch.arange(25.0).reshape(1, 1, 5, 5)
    >>> roi_align(ramp, [torch.tensor([[1.0, 1.0, 3.0, 3.0]])], 2, sampling_ratio=2, aligned=True)
    tensor([[[[ 6.,  7.],
              [11., 12.]]]])
    """
    check_input("input", input)
    rois = as_boxes(boxes)
    check_cells("input", input, rois)
    height, width = as_size(output_size)
    return _align.roi_align(
        input,
        rois,
        as_number("spatial_scale", spatial_scale),
        height,
        width,
        as_integer("sampling_ratio", sampling_ratio),
        as_flag("aligned", aligned),
        as_flag("box_grad", box_grad),
    )


@torch.fx.wrap
def roi_pool(
    input: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    *,
    box_grad: bool = False,
) -> Tensor:
    """Pool the maximum of each bin after rounding boxes and bins to whole cells, as ``torchvision.ops.roi_pool``.

    Parameters
    ----------
    input, boxes, output_size, spatial_scale
        As for `roi_align`.
    box_grad : bool
        Taken so that the operators can stand in for each other; True is refused, there is no such gradient.

    Returns
    -------
    (K, C, height, width) tensor
        Contiguous, of ``input``'s dtype; float32 for uint8.

    Raises
    ------
    NotImplementedError, ValueError, TypeError
        As for `roi_align`.

    Notes
    -----
    Rounding makes the result constant in the boxes, between jumps. Transforms and compilers as for `roi_align`.

    Examples
    --------
    >>> import torch
    >>> from roialign_rs.torch import roi_pool
    >>> ramp = torch.arange(25.0).reshape(1, 1, 5, 5)
    >>> roi_pool(ramp, [torch.tensor([[1.0, 1.0, 3.0, 3.0]])], 2)
    tensor([[[[12., 13.],
              [17., 18.]]]])
    """
    check_input("input", input)
    rois = as_boxes(boxes)
    check_cells("input", input, rois)
    if as_flag("box_grad", box_grad):
        raise ValueError("box_grad must be False: roi_pool rounds boxes, so they have no gradient; use roi_align")
    height, width = as_size(output_size)
    # The places of the maxima are twice as many bytes as the maxima, and of use to the backward pass only.
    with_argmax = torch.is_grad_enabled() and input.requires_grad
    scale = as_number("spatial_scale", spatial_scale)
    return _pool.roi_pool(input, rois, scale, height, width, with_argmax)[0]


roi_align.__prepare_scriptable__ = lambda: _scripted.roi_align
roi_pool.__prepare_scriptable__ = lambda: _scripted.roi_pool
