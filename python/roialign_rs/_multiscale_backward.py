"""Gradient of RoI Align on a feature pyramid, for the maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair, sequence, shape
from roialign_rs._call import as_levels, backward

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import Invalid, Layout, Maps, PyramidBackwardOptions, Rule
    from roialign_rs.gpu import Device, DeviceArray


@overload
def multiscale_roi_align_backward(
    grad_output: DeviceArray,
    boxes: Boxes,
    input_shapes: Sequence[Sequence[SupportsIndex]],
    *,
    spatial_scales: Sequence[float],
    out: Sequence[DeviceArray] | None = ...,
    **options: Unpack[PyramidBackwardOptions],
) -> list[DeviceArray]: ...
@overload
def multiscale_roi_align_backward(
    grad_output: ArrayLike,
    boxes: Boxes,
    input_shapes: Sequence[Sequence[SupportsIndex]],
    *,
    spatial_scales: Sequence[float],
    out: Sequence[NDArray[Any]] | None = ...,
    **options: Unpack[PyramidBackwardOptions],
) -> list[NDArray[Any]]: ...
def multiscale_roi_align_backward(
    grad_output: ArrayLike | DeviceArray,
    boxes: Boxes,
    input_shapes: Sequence[Sequence[SupportsIndex]],
    *,
    spatial_scales: Sequence[float],
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    canonical_size: float = 224,
    canonical_level: int = 4,
    rule: Rule = "detectron2",
    stages: ArrayLike | None = None,
    accumulate: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: Maps | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> list[NDArray[Any]] | list[DeviceArray]:
    """Gradients of `multiscale_roi_align` for its maps: its backward pass.

    Given the gradient of a loss for the pooled result, return the gradient of the loss for each map of the pyramid.
    Pass the same boxes and options as in the call of `multiscale_roi_align`.

    Parameters
    ----------
    grad_output : (K, C, height, width) array of float16, bfloat16, float32 or float64
        Gradient of the loss for the pooled result, with any strides. With ``layout="NHWC"`` the shape is (K, height,
        width, C).
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i, and ``[]`` means none. One box may also come
        as (4,) or (5,). Coordinates are computed in float64, or in float32 if the array has float32, float16 or
        bfloat16.
    input_shapes : sequence of (int, int, int, int)
        Shape of each map, in the order of ``layout``.
    spatial_scales : sequence of float
        Map cells per image pixel of each map, 1 / stride. Consecutive powers of two such as (1/4, 1/8, 1/16), unless
        ``stages`` is passed.
    sampling_ratio : int or (int, int), default 0
        Samples per bin along y and x, at most 65536. If 0 or less, a bin has ``ceil(side of the bin in map cells)``
        samples along each axis.
    aligned : bool, default True
        True shifts boxes by half a map cell, so that integer coordinates are pixel edges, as in Detectron2, mmcv and
        ONNX 16. False is the older rule: no shift, and sides shorter than one map cell are widened to one. The default
        of torchvision is False.
    canonical_size : float, default 224
        Side, in image pixels, of a square box that is pooled from the map of ``canonical_level``.
    canonical_level : int, default 4
        Level of the map for boxes of ``canonical_size``. The stride of level l is ``2**l``.
    rule : {"detectron2", "torchvision"}, default "detectron2"
        The library whose rounding is used for boxes near the boundary of two levels; see `roialign_rs.assign_stages`.
    stages : (K,) array of int, optional
        Index of the map of each box, from 0. It replaces the rule.
    accumulate : bool, default False
        Add the gradients to the arrays in ``out``, which is then required, instead of overwriting them.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of ``grad_output``, ``input_shapes`` and the results: N images (K boxes), C channels, height
        H, width W.
    out : sequence of arrays, optional
        One array for each map to write the gradient to, with its shape and dtype and any strides. They must not share
        memory with each other or an input. By default new arrays are returned.
    invalid : {"raise", "zero", "nan"}, default "raise"
        What to do with a box that has a NaN or infinite coordinate, a batch index of no image or a negative area, which
        fits no map: raise a ValueError that names the row, or skip the box, so that it contributes no gradient ("zero"
        and "nan").
    device : gpu.Device, optional
        GPU to compute on (experimental): arrays are uploaded and the results are downloaded. Leave it out if
        ``grad_output`` is a `gpu.DeviceArray`. The results are then such arrays too, and so must those of ``out`` be.

    Returns
    -------
    list of arrays of the shapes ``input_shapes``
        Gradient for each map, with the dtype of ``grad_output``.

    Raises
    ------
    ValueError
        If a shape or a value is not valid. The message names the argument and, for a box, its row.
    TypeError
        If the dtype or the type of an argument is not supported.
    MemoryError
        If there is not enough memory.
    KeyboardInterrupt
        On Ctrl-C, for calls from the main thread: within 0.5 s, or after the box in progress. ``out`` is then partly
        written.
    GpuError
        If a GPU is used and fails.

    See Also
    --------
    multiscale_roi_align : The forward pass.

    Examples
    --------
    A box of 256 x 256 pixels belongs to the coarser map. The weights of its one bin add up to 1:

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> gradients = ra.multiscale_roi_align_backward(
    ...     np.ones((1, 1, 1, 1)),
    ...     np.array([[0.0, 0, 256, 256]]),
    ...     [(1, 1, 64, 64), (1, 1, 32, 32)],
    ...     spatial_scales=[1 / 4, 1 / 8],
    ... )
    >>> [float(gradient.sum()) for gradient in gradients]
    [0.0, 1.0]
    """
    return backward(
        _core.RoiAlign(sampling_ratio, aligned, "avg", "center"),
        grad_output,
        boxes,
        batch_indices,
        [shape(f"input_shapes[{i}]", sides) for i, sides in enumerate(sequence("input_shapes", input_shapes))],
        spatial_scales,
        as_levels(canonical_size, canonical_level, rule, stages),
        None,
        accumulate,
        layout,
        None if out is None else sequence("out", out),
        invalid,
        device,
    )
