"""RoI Align."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair, features as as_features
from roialign_rs._call import forward

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import (
        AlignMode,
        AlignOptions,
        DeviceWithArgmax,
        Invalid,
        Layout,
        Pooled,
        SamplePoints,
        WithArgmax,
    )
    from roialign_rs.gpu import Device, DeviceArray


@overload
def roi_align(
    features: DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: Literal[False] = ...,
    **options: Unpack[AlignOptions],
) -> DeviceArray: ...
@overload
def roi_align(
    features: DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: Literal[True],
    **options: Unpack[AlignOptions],
) -> DeviceWithArgmax: ...
@overload
def roi_align(
    features: ArrayLike,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: Literal[False] = ...,
    **options: Unpack[AlignOptions],
) -> NDArray[Any]: ...
@overload
def roi_align(
    features: ArrayLike,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: Literal[True],
    **options: Unpack[AlignOptions],
) -> WithArgmax: ...
@overload
def roi_align(
    features: ArrayLike | DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    return_argmax: bool,
    **options: Unpack[AlignOptions],
) -> Pooled: ...
def roi_align(
    features: ArrayLike | DeviceArray,
    boxes: Boxes,
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    mode: AlignMode = "avg",
    sample_points: SamplePoints = "center",
    return_argmax: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> Pooled:
    """Cut boxes out of feature maps and resize each to a grid of the same size, by bilinear sampling.

    RoI Align turns regions of interest (RoIs), which are boxes of any size, into arrays of one shape that a network can
    process further. It divides each box into bins, interpolates the feature map at regular points of each bin, and
    returns the mean or the maximum of these samples. Unlike `roi_pool` it rounds no coordinate.

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
    sampling_ratio : int or (int, int), default 0
        Samples per bin along y and x, at most 65536. If 0 or less, a bin has ``ceil(side of the bin in map cells)``
        samples along each axis.
    aligned : bool, default True
        True shifts boxes by half a map cell, so that integer coordinates are pixel edges, as in Detectron2, mmcv and
        ONNX 16. False is the older rule: no shift, and sides shorter than one map cell are widened to one. The default
        of torchvision is False.
    mode : {"avg", "max", "onnx_max"}, default "avg"
        Value of a bin: the mean of its samples ("avg"), their maximum ("max", as in mmcv and OpenVINO), or the maximum
        of all products of weight and cell ("onnx_max", as in the reference implementation of ONNX).
    sample_points : {"center", "interior"}, default "center"
        Position of sample i of n in a bin, as a fraction of its side: ``(i + 1/2) / n`` ("center", as in all libraries)
        or ``(i + 1) / (n + 1)`` ("interior", as in many drawings).
    return_argmax : bool, default False
        Also return the sample that each maximum came from, which `roi_align_backward` needs. Not for ``mode="avg"``.
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
        ``layout="NHWC"`` the shape is (K, height, width, C).
    argmax : array of int64, of the same shape
        Only with ``return_argmax=True``. Index of the sample in its bin, row by row (for "onnx_max", 4 * sample +
        corner); -1 if the bin has no sample.

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
    roi_align_backward : Gradient for the features.
    roi_align_box_gradient : Gradient for the boxes.
    multiscale_roi_align : RoI Align on a feature pyramid.
    roi_pool : The older operator, which rounds boxes to whole cells.
    explain : Every sample and weight of one box.

    Notes
    -----
    Along x, with ``d = 1/2`` if ``aligned`` and 0 otherwise, bin q of P has n samples at the positions ::

        x(q, i) = x1 s - d + (q + (i + 1/2) / n) (x2 s - x1 s) / P,    s = spatial_scale,  0 <= i < n

    and y likewise. If not ``aligned``, the side ``x2 s - x1 s`` is at least 1. The centre of cell j is at position j.
    A sample is the bilinear interpolation of the four cells around it. Past the outermost cell centres it is the value
    of the edge; more than one cell past them it counts as 0. A bin without samples gives 0. Cells of weight 0 are not
    read, so NaN in them has no effect.

    float16, bfloat16 and uint8 are computed in float32 and rounded once. The operator was introduced by Mask R-CNN
    [1]_; the half-cell shift comes from Detectron2. Border rule and order of operations are those of torchvision 0.29.

    References
    ----------
    .. [1] K. He, G. Gkioxari, P. Dollár, R. Girshick, "Mask R-CNN", ICCV 2017, section 3.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the four bins of the box (1, 1, 3, 3) are centred on the cells (1, 1) to (2, 2):

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    >>> boxes = np.array([[1, 1, 3, 3]])
    >>> ra.roi_align(ramp, boxes, 2, sampling_ratio=2)
    array([[[[ 6.,  7.],
             [11., 12.]]]], dtype=float32)

    Without the half-cell shift, as by default in torchvision, they are centred half a cell further, at 1.5 and 2.5:

    >>> ra.roi_align(ramp, boxes, 2, sampling_ratio=2, aligned=False)
    array([[[[ 9., 10.],
             [14., 15.]]]], dtype=float32)
    """
    pooled: Pooled = forward(
        _core.RoiAlign(sampling_ratio, aligned, mode, sample_points),
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
