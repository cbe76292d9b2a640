"""RoI pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair, features as as_features
from roialign_rs._call import forward

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import (
        DeviceWithArgmax,
        Invalid,
        Layout,
        Pooled,
        PoolMode,
        PoolOptions,
        Quantization,
        WithArgmax,
    )
    from roialign_rs.gpu import Device, DeviceArray


@overload
def roi_pool(
    features: DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: Literal[False] = ...,
    **options: Unpack[PoolOptions],
) -> DeviceArray: ...
@overload
def roi_pool(
    features: DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: Literal[True],
    **options: Unpack[PoolOptions],
) -> DeviceWithArgmax: ...
@overload
def roi_pool(
    features: ArrayLike,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: Literal[False] = ...,
    **options: Unpack[PoolOptions],
) -> NDArray[Any]: ...
@overload
def roi_pool(
    features: ArrayLike,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: Literal[True],
    **options: Unpack[PoolOptions],
) -> WithArgmax: ...
@overload
def roi_pool(
    features: ArrayLike | DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: bool,
    **options: Unpack[PoolOptions],
) -> Pooled: ...
def roi_pool(
    features: ArrayLike | DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    mode: PoolMode = "max",
    quantization: Quantization = "caffe",
    return_argmax: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> Pooled:
    """Cut boxes out of feature maps and resize each to a grid of the same size, by pooling whole cells.

    RoI pooling is the predecessor of RoI Align. It rounds each box and its bins to whole cells of the feature map, and
    returns the maximum or the mean of the cells of each bin. The rounding shifts features against the image, which
    `roi_align` avoids.

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
    mode : {"max", "avg"}, default "max"
        Value of a bin: the maximum of its cells, or the mean of its cells that are on the map.
    quantization : {"caffe", "mmcv", "floor", "truncate"}, default "caffe"
        How the box and its bins are rounded to whole cells; see Notes. "caffe" is the rule of torchvision and ONNX,
        "mmcv" that of mmcv; "floor" and "truncate" are the rules of many tutorials.
    return_argmax : bool, default False
        Also return the cell that each maximum came from, which `roi_pool_backward` needs. Not for ``mode="avg"``.
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
    pooled : (K, C, height, width) array
        One grid for each box, in the order of the boxes and with the dtype of ``features`` (float32 for uint8). With
        ``layout="NHWC"`` the shape is (K, height, width, C). A bin without cells gives 0.
    argmax : array of int64, of the same shape
        Only with ``return_argmax=True``. Index ``y * W + x`` of the cell in its map, the first one if several are
        equal; -1 for a bin without cells.

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
    roi_pool_backward : Gradient for the features.
    roi_align : The newer operator, which rounds nothing.
    explain : The cells of every bin of one box.

    Notes
    -----
    Bins along x, with ``s = spatial_scale``, P bins and bin i from its first cell to its end (exclusive)::

        caffe     start = round(x1 s),  size = max(round(x2 s) - start + 1, 1)
                  bin i = start + floor(i size / P)  to  start + ceil((i + 1) size / P)
        mmcv      size = (x2 + 1) s - x1 s, not rounded; no cells if size <= 0
                  bin i = floor(x1 s + i size / P)  to  ceil(x1 s + (i + 1) size / P)
        floor     start = floor(x1 s),  size = max(floor(x2 s) - start, 1)
                  bin i = start + floor(i size / P)  to  start + floor((i + 1) size / P)
        truncate  start = floor(x1 s),  step = max(floor(floor(x2 s - x1 s) / P), 1)
                  bin i = start + i step  to  start + (i + 1) step

    ``round`` rounds halves away from zero. Bins are clipped to the map. Bins of "caffe" and "mmcv" may overlap. "caffe"
    comes from the code of Fast R-CNN [1]_.

    The maximum ignores NaN and starts at the lowest finite float32, as in torchvision: a bin without a larger value
    returns this number and argmax -1.

    References
    ----------
    .. [1] R. Girshick, "Fast R-CNN", ICCV 2015, section 2.1.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the box (1, 1, 3, 3) becomes the cells 1 to 3 in both directions. Its bins share
    the cells of row 2 and column 2, and return their last cells, (2, 2) to (3, 3):

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    >>> ra.roi_pool(ramp, np.array([[1, 1, 3, 3]]), 2)
    array([[[[12., 13.],
             [17., 18.]]]], dtype=float32)
    """
    pooled: Pooled = forward(
        _core.RoiPool(mode, quantization),
        [as_features(features)],
        boxes,
        batch_indices,
        output_size,
        [spatial_scale],
        None,
        return_argmax,
        layout,
        out,
        invalid,
        device,
    )
    return pooled
