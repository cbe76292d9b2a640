"""RoI Align. As every operator, the function makes its arguments convenient and ends in one call of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair, boxes as as_boxes, device as as_device, features as as_features

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
    """Pool each box by sampling it on a regular grid, without rounding its coordinates.

    The box is cut into equal bins, each bin is read by bilinear interpolation at the centres of a regular grid of
    samples, and the samples become one value.

    Parameters
    ----------
    features : (N, C, H, W) array of float16, bfloat16, float32, float64 or uint8
        Feature maps, with any strides. (N, H, W, C) with ``layout="NHWC"``. Must not be changed during the call.
    boxes : (K, 4) or (K, 5) array, (4,) or (5,) for one box, or a sequence of N (K_i, 4) arrays
        ``x1, y1, x2, y2`` in image pixels, of float32 or float64 (narrower floats are widened, integers and objects that
        are numbers become float64); with five columns, the first one is the image's number. Positions are computed in
        this dtype. In a sequence, ``[]`` is an image without boxes.
    output_size : int or (int, int)
        Bins of a box: height and width.
    spatial_scale : float
        Cells of the map per image pixel: 1 / stride.
    sampling_ratio : int or (int, int)
        Samples of a bin along y and x. 0 or less takes one per cell of the bin, rounded up.
    aligned : bool
        Shift boxes by half a cell, so that pixel centres lie at half-integers, and keep their size. False is the
        older rule: no shift, and sides below one cell are widened to one. torchvision's default is False.
    mode : {"avg", "max", "onnx_max"}
        Mean of the samples, largest sample (mmcv, OpenVINO), or largest weighted corner of the samples (ONNX).
    sample_points : {"center", "interior"}
        Sample i of n at (i + 1/2) / n of the bin, or at (i + 1) / (n + 1).
    return_argmax : bool
        Also return where each maximum came from.
    batch_indices : (K,) array of integers, optional
        Image of each box, for boxes of shape (K, 4). May be left out when N = 1.
    layout : {"NCHW", "NHWC"}
        Order of the axes of features and result.
    out : array, optional
        Where to write the result, with any strides.
    invalid : {"raise", "zero", "nan"}
        What to do with a box whose coordinates are not finite or whose image does not exist: refuse the call, or
        fill its part of the result.
    device : gpu.Device, optional
        Upload the features, pool them there and download the result. For several calls on the same features upload
        them once: for features that are a `gpu.DeviceArray` the result is one, too, and stays on the device.

    Returns
    -------
    (K, C, height, width) array, or (K, height, width, C) with ``layout="NHWC"``
        Of the features' dtype; float32 for uint8.
    argmax : int64 array of the same shape, only with ``return_argmax=True``
        Row-major number of the sample in its bin (for "onnx_max" 4 * sample + corner), -1 if there was none.

    Raises
    ------
    ValueError
        For a shape or value that does not fit, naming the argument and the row.
    TypeError
        For a dtype that is not supported, a masked array, or an argument of a wrong kind, which is named.
    MemoryError
        If memory does not suffice for the result or for computing it.
    KeyboardInterrupt
        On Ctrl-C, for calls from the main thread: within half a second, unless a single box takes longer, which is finished
        first. ``out`` is then partly written.

    Notes
    -----
    A sample more than one cell outside the outermost cell centres counts as 0 in the mean and in the maximum;
    between there and the outermost centres it takes the outermost cell. float16, bfloat16 and uint8 are computed in
    float32 and rounded once. A cell that no sample gives weight to is never read, so NaN or infinity there changes
    nothing.

    References
    ----------
    K. He, G. Gkioxari, P. Dollár, R. Girshick, "Mask R-CNN", ICCV 2017, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    >>> ra.roi_align(ramp, np.array([[1, 1, 3, 3]]), 2, sampling_ratio=2)
    array([[[[ 6.,  7.],
             [11., 12.]]]], dtype=float32)
    """
    features = as_features(features)
    table, batch_indices = as_boxes(boxes, batch_indices, len(features) if features.ndim else 0)
    return _core.roi_align(
        features,
        table,
        batch_indices,
        output_size,
        spatial_scale,
        sampling_ratio,
        aligned,
        mode,
        sample_points,
        return_argmax,
        layout,
        out,
        invalid,
        as_device(device),
    )
