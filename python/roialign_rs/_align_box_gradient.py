"""Gradient of RoI Align for the boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair, features as as_features
from roialign_rs._call import box_gradient

if TYPE_CHECKING:
    from roialign_rs._options import Invalid, Layout


def roi_align_box_gradient(
    grad_output: ArrayLike,
    features: ArrayLike,
    boxes: Boxes,
    *,
    spatial_scale: float = 1.0,
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | None = None,
    invalid: Invalid = "raise",
) -> NDArray[Any]:
    """Gradient of `roi_align` for its boxes: how the pooled means change when a box moves or grows.

    Given the gradient of a loss for the pooled result, return the gradient of the loss for the coordinates of each box.
    Pass the same arguments as in the call of `roi_align`, with ``mode="avg"`` and ``sample_points="center"``. It runs
    on the CPU alone.

    Parameters
    ----------
    grad_output : (K, C, height, width) array of float16, bfloat16, float32 or float64
        Gradient of the loss for the pooled result, with its dtype and any strides. With ``layout="NHWC"`` the shape is
        (K, height, width, C).
    features : (N, C, H, W) array of float16, bfloat16, float32, float64 or uint8
        Feature maps of N images with C channels, with any strides. With ``layout="NHWC"`` the shape is (N, H, W, C).
        The array must not change during the call.
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i, and ``[]`` means none. One box may also come
        as (4,) or (5,). Coordinates are computed in float64, or in float32 if the array has float32, float16 or
        bfloat16.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    sampling_ratio : int or (int, int), default 0
        Samples per bin along y and x, at most 65536. If 0 or less, a bin has ``ceil(side of the bin in map cells)``
        samples along each axis.
    aligned : bool, default True
        True shifts boxes by half a map cell, so that integer coordinates are pixel edges, as in Detectron2, mmcv and
        ONNX 16. False is the older rule: no shift, and sides shorter than one map cell are widened to one. The default
        of torchvision is False.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of ``grad_output`` and ``features``: N images (K boxes), C channels, height H, width W.
    out : array, optional
        Array to write the gradient to, with its shape and dtype and any strides. It must not share memory with an
        input. By default a new array is returned.
    invalid : {"raise", "zero", "nan"}, default "raise"
        What to do with a box that has a NaN or infinite coordinate or a batch index of no image: raise a ValueError
        that names the row, or fill the gradient of this box with zeros or NaN.

    Returns
    -------
    (K, 4) array, or (K, 5) array if boxes have a batch index column
        Derivatives for ``x1, y1, x2, y2``, per image pixel, in the columns of ``boxes``; 0 for the batch index. The
        dtype is float64, or float32 if ``boxes`` has float32, float16 or bfloat16.

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

    See Also
    --------
    roi_align : The forward pass.
    roi_align_backward : Gradient for the features.

    Notes
    -----
    The samples move with the box. A sample's value changes by the difference of the cells on both sides of it. This
    gives the exact derivative for a fixed number of samples. Where the mean is not differentiable, these conventions
    hold:

    * A sample on a cell centre, where the slope jumps, takes the mean of the slopes on both sides, as central
      differences do. It reads the cells on both sides, which have weight 0 in the forward pass.
    * A sample past the outermost cell centres has slope 0. The jump to 0 further out is ignored.
    * The jump when an adaptive number of samples changes is ignored.
    * With ``aligned=False`` a side that is widened to one cell moves with its first coordinate alone.

    The result does not depend on the number of threads.

    Examples
    --------
    The map ``f[y, x] = 6 y + x`` rises by 1 per column and by 6 per row. Half of the motion of each side reaches the
    centre of the box, and with it the mean:

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp, box = np.arange(36.0).reshape(1, 1, 6, 6), np.array([[1.2, 1.3, 3.9, 4.1]])
    >>> ra.roi_align_box_gradient(np.ones((1, 1, 1, 1)), ramp, box, sampling_ratio=2)
    array([[0.5, 3. , 0.5, 3. ]])
    """
    return box_gradient(
        _core.RoiAlign(sampling_ratio, aligned, "avg", "center"),
        grad_output,
        [as_features(features)],
        boxes,
        batch_indices,
        [spatial_scale],
        None,
        layout,
        out,
        invalid,
    )
