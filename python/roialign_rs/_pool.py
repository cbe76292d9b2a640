"""RoI pooling. As in `_align`, one call of the core does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair, boxes as as_boxes, device as as_device, features as as_features

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
    """Pool each box after rounding it, and its bins, to whole cells.

    Parameters
    ----------
    features, boxes, output_size, spatial_scale, return_argmax, batch_indices, layout, out, invalid, device
        As for `roi_align`.
    mode : {"max", "avg"}
        Largest cell of a bin, or the mean of those on the map.
    quantization : {"caffe", "mmcv", "floor", "truncate"}
        How box and bins are rounded, on one axis of P bins, with s the spatial scale:

        * "caffe" (torchvision, ONNX): start = round(x1 s), size = max(round(x2 s) - start + 1, 1), bin i from
          floor(i size / P) to ceil((i + 1) size / P); neighbouring bins may share cells. Halves round away from zero.
        * "mmcv": the box ends at (x2 + 1) s, nothing is rounded but the bins, outwards.
        * "floor": start = floor(x1 s), size = max(floor(x2 s) - start, 1), bin i from floor(i size / P) to
          floor((i + 1) size / P); a bin may be empty.
        * "truncate": start = floor(x1 s), every bin max(floor(floor(x2 s - x1 s) / P), 1) cells wide; what does not
          divide is dropped.

    Returns
    -------
    (K, C, height, width) array, or (K, height, width, C) with ``layout="NHWC"``
        Of the features' dtype; float32 for uint8. 0 for a bin without cells.
    argmax : int64 array of the same shape, only with ``return_argmax=True``
        y * W + x of the cell in its map, the first of equal ones; -1 for a bin without cells.

    Raises
    ------
    ValueError, TypeError, MemoryError, KeyboardInterrupt
        As for `roi_align`.

    Notes
    -----
    The maximum skips NaN, and starts at the lowest finite float32, as in torchvision: a bin with nothing above that
    gives it, and argmax -1. Bins are clipped to the map.

    References
    ----------
    R. Girshick, "Fast R-CNN", ICCV 2015, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    >>> ra.roi_pool(ramp, np.array([[1, 1, 3, 3]]), 2)
    array([[[[12., 13.],
             [17., 18.]]]], dtype=float32)
    """
    features = as_features(features)
    table, batch_indices = as_boxes(boxes, batch_indices, len(features) if features.ndim else 0)
    return _core.roi_pool(
        features,
        table,
        batch_indices,
        output_size,
        spatial_scale,
        mode,
        quantization,
        return_argmax,
        layout,
        out,
        invalid,
        as_device(device),
    )
