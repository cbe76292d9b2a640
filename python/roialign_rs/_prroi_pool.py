"""Precise RoI pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair, features as as_features
from roialign_rs._call import forward

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import Invalid, Layout, Options
    from roialign_rs.gpu import Device, DeviceArray


@overload
def prroi_pool(
    features: DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    spatial_scale: float = ...,
    out: None = ...,
    **options: Unpack[Options],
) -> DeviceArray: ...
@overload
def prroi_pool(
    features: ArrayLike,
    boxes: Boxes,
    output_size: Pair,
    *,
    spatial_scale: float = ...,
    out: NDArray[Any] | None = ...,
    **options: Unpack[Options],
) -> NDArray[Any]: ...
def prroi_pool(
    features: ArrayLike | DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> NDArray[Any] | DeviceArray:
    """Cut boxes out of feature maps and resize each to a grid of the same size, by exact averages.

    Precise RoI pooling interpolates the feature map bilinearly, and returns the mean of the interpolated surface over
    each bin: the integral, without samples. So it has no number of samples to choose, and changes smoothly with the
    box.

    Parameters
    ----------
    features : (N, C, H, W) array of float16, bfloat16, float32, float64 or uint8
        Feature maps of N images with C channels, with any strides. With ``layout="NHWC"`` the shape is (N, H, W, C).
        The array must not change during the call.
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i, and ``[]`` means none. One box may also come
        as (4,) or (5,). Coordinates are computed in float64, or in float32 if the array has float32, float16 or
        bfloat16.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of features and result: N images (K boxes), C channels, height H, width W.
    out : array, optional
        Array to write the result to, with its shape and dtype and any strides. It must not share memory with an input.
        By default a new array is returned.
    invalid : {"raise", "zero", "nan"}, default "raise"
        What to do with a box that has a NaN or infinite coordinate or a batch index of no image: raise a ValueError
        that names the row, or fill the result of this box with zeros or NaN.
    device : gpu.Device, optional
        GPU to compute on (experimental): features are uploaded and the result is downloaded. To pool the same features
        several times, upload them once with `gpu.Device.features`, pass the `gpu.DeviceArray` as ``features`` and leave
        ``device`` out. The result is then a `gpu.DeviceArray` too.

    Returns
    -------
    (K, C, height, width) array
        One grid for each box, in the order of the boxes and with the dtype of ``features`` (float32 for uint8). With
        ``layout="NHWC"`` the shape is (K, height, width, C). A box without area gives 0.

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
    prroi_pool_backward : Gradient for the features.
    prroi_pool_box_gradient : Gradient for the boxes.
    roi_align : The mean of samples, which tends to this integral as their number grows.

    Notes
    -----
    With ``s = spatial_scale`` and P bins along x, bin q ends at ``x(q) = x1 s + q (x2 s - x1 s) / P`` and
    ``x(q + 1)``; y likewise. Cell j has the weight ::

        (G(x(q + 1) - j) - G(x(q) - j)) / (x(q + 1) - x(q))

    along x, where G is the antiderivative of the hat function ``max(0, 1 - |u|)``. The centre of cell j is at position
    j, and boxes are not shifted. The surface falls to 0 within one cell past the outermost cell centres, and is 0
    further out. An inverted box has no area. The operator was introduced by IoU-Net [1]_.

    float16, bfloat16 and uint8 are computed in float32 and rounded once.

    References
    ----------
    .. [1] B. Jiang, R. Luo, J. Mao, T. Xiao, Y. Jiang, "Acquisition of Localization Confidence for Accurate Object
       Detection", ECCV 2018, section 3.2.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the mean of a bin is the value in its middle:

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    >>> ra.prroi_pool(ramp, np.array([[1, 1, 3, 3]]), 2)
    array([[[[ 9., 10.],
             [14., 15.]]]], dtype=float32)
    """
    pooled: NDArray[Any] | DeviceArray = forward(
        _core.PrRoiPool(),
        [as_features(features)],
        boxes,
        batch_indices,
        output_size,
        [spatial_scale],
        None,
        False,
        layout,
        out,
        invalid,
        device,
    )
    return pooled
