"""Gradients of the operators. As in `_align`, arguments are made convenient, and one call of the core does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import (
    Boxes,
    Pair,
    argmax as as_argmax,
    boxes as as_boxes,
    device as as_device,
    features as as_features,
    shape,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import (
        AlignBackwardOptions,
        AlignMode,
        Invalid,
        Layout,
        PoolBackwardOptions,
        PoolMode,
        Quantization,
        SamplePoints,
    )
    from roialign_rs.gpu import Device, DeviceArray


@overload
def roi_align_backward(
    grad_output: DeviceArray,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    out: DeviceArray | None = ...,
    **options: Unpack[AlignBackwardOptions],
) -> DeviceArray: ...
@overload
def roi_align_backward(
    grad_output: ArrayLike,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    out: NDArray[Any] | None = ...,
    **options: Unpack[AlignBackwardOptions],
) -> NDArray[Any]: ...
def roi_align_backward(
    grad_output: ArrayLike | DeviceArray,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    spatial_scale: float = 1.0,
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    mode: AlignMode = "avg",
    sample_points: SamplePoints = "center",
    argmax: ArrayLike | DeviceArray | None = None,
    accumulate: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | DeviceArray | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> NDArray[Any] | DeviceArray:
    """Gradient of `roi_align` for its features.

    Parameters
    ----------
    grad_output : (K, C, height, width) array of float16, bfloat16, float32 or float64
        Gradient for the result, with any strides. (K, height, width, C) with ``layout="NHWC"``.
    boxes, spatial_scale, sampling_ratio, aligned, mode, sample_points, batch_indices, invalid
        As in the forward call. A box that ``invalid`` lets pass has no gradient.
    input_shape : (int, int, int, int)
        Shape of the features, in the order that ``layout`` says.
    argmax : int64 array of the shape of ``grad_output``, optional
        What the forward call returned; needed where it took a maximum.
    accumulate : bool
        Add to ``out`` instead of replacing what it holds.
    layout : {"NCHW", "NHWC"}
        Order of the axes of ``grad_output``, ``input_shape``, ``argmax`` and ``out``.
    out : array of ``input_shape``, optional
        Where to write the gradient, with any strides.
    device : gpu.Device, optional
        Upload what is needed, compute there and download the result. For a ``grad_output`` that is a
        `gpu.DeviceArray` the result is one, too, and so must ``out`` be; ``argmax`` may be one.

    Returns
    -------
    array of ``input_shape``
        Of the dtype of ``grad_output``. Zero where no sample reads.

    Raises
    ------
    ValueError, TypeError, MemoryError, KeyboardInterrupt
        As for `roi_align`; ValueError also for an ``argmax`` that names no candidate of its bin, unless it lies on a
        device: there it has no gradient.

    Notes
    -----
    The exact transpose of the forward pass, with the same result for any number of threads: no element is written
    by two of them. float16 and bfloat16 are added up in float32 and rounded once.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ra.roi_align_backward(np.ones((1, 1, 1, 1)), np.array([[1.0, 1, 3, 3]]), (1, 1, 4, 4), sampling_ratio=2)
    array([[[[0.  , 0.  , 0.  , 0.  ],
             [0.  , 0.25, 0.25, 0.  ],
             [0.  , 0.25, 0.25, 0.  ],
             [0.  , 0.  , 0.  , 0.  ]]]])
    """
    input_shape = shape("input_shape", input_shape)
    table, batch_indices = as_boxes(boxes, batch_indices, input_shape[0])
    return _core.roi_align_backward(
        as_features(grad_output, "grad_output"),
        table,
        batch_indices,
        input_shape,
        spatial_scale,
        sampling_ratio,
        aligned,
        mode,
        sample_points,
        as_argmax(argmax),
        accumulate,
        layout,
        out,
        invalid,
        as_device(device),
    )


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
    """Gradient of `roi_align`'s mean for its boxes.

    Parameters
    ----------
    grad_output : (K, C, height, width) array
        Gradient for the result, of its dtype. (K, height, width, C) with ``layout="NHWC"``.
    features, boxes, spatial_scale, sampling_ratio, aligned, batch_indices, layout, invalid
        As in the forward call. A box that ``invalid`` lets pass has a gradient of zeros or NaN.
    out : array of the shape and dtype of the result, optional
        Where to write the gradient, with any strides.

    Returns
    -------
    (K, 4) array, or (K, 5) for boxes with a batch index; K = 1 for one box
        Derivatives for ``x1, y1, x2, y2`` in the columns of the boxes, per image pixel; 0 for a batch index. Of the
        boxes' dtype, after it is widened as for `roi_align`.

    Raises
    ------
    ValueError, TypeError, MemoryError, KeyboardInterrupt
        As for `roi_align`.

    Notes
    -----
    The exact derivative of the sampled mean, wherever it has one, with the numbers of samples that the forward pass
    takes: samples move with the box, and a value changes along the step between the two pixels that its sample lies
    between. The result is the same for any number of threads. Sums are kept in the features' compute type (float32
    for narrower ones) within a block of channels, and in float64 beyond.

    The mean has kinks and jumps in the boxes. There, by convention:

    * A sample on a pixel's centre, where the slope jumps, takes the mean of the slopes on both sides, as central
      differences do. This is also where a sample reads pixels that have no weight in the forward pass.
    * A sample past the outermost pixel centres follows no step on that axis; one that leaves the map, a pixel further
      out, drops out with a jump that is not counted. Neither is a change of an adaptive number of samples.
    * With ``aligned=False`` a side of less than one cell is widened to one, so it moves with its first end alone.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp = np.arange(36.0).reshape(1, 1, 6, 6)      # 1 a column, 6 a row
    >>> ra.roi_align_box_gradient(np.ones((1, 1, 1, 1)), ramp, np.array([[1.2, 1.3, 3.9, 4.1]]), sampling_ratio=2)
    array([[0.5, 3. , 0.5, 3. ]])
    """
    maps = as_features(features)
    table, batch_indices = as_boxes(boxes, batch_indices, len(maps) if maps.ndim else 0)
    return _core.roi_align_box_gradient(
        as_features(grad_output, "grad_output"),
        maps,
        table,
        batch_indices,
        spatial_scale,
        sampling_ratio,
        aligned,
        layout,
        out,
        invalid,
    )


@overload
def roi_pool_backward(
    grad_output: DeviceArray,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    out: DeviceArray | None = ...,
    **options: Unpack[PoolBackwardOptions],
) -> DeviceArray: ...
@overload
def roi_pool_backward(
    grad_output: ArrayLike,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    out: NDArray[Any] | None = ...,
    **options: Unpack[PoolBackwardOptions],
) -> NDArray[Any]: ...
def roi_pool_backward(
    grad_output: ArrayLike | DeviceArray,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    argmax: ArrayLike | DeviceArray | None = None,
    spatial_scale: float = 1.0,
    mode: PoolMode = "max",
    quantization: Quantization = "caffe",
    accumulate: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | DeviceArray | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> NDArray[Any] | DeviceArray:
    """Gradient of `roi_pool` for its features.

    Parameters
    ----------
    grad_output, input_shape, accumulate, layout, out, device
        As for `roi_align_backward`.
    argmax : int64 array of the shape of ``grad_output``, optional
        What the forward call returned; needed with ``mode="max"``, and refused with "avg".
    boxes, spatial_scale, mode, quantization, batch_indices, invalid
        As in the forward call.

    Returns
    -------
    array of ``input_shape``
        Of the dtype of ``grad_output``.

    Raises
    ------
    ValueError, TypeError, MemoryError, KeyboardInterrupt
        As for `roi_align_backward`.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp, boxes = np.arange(9.0).reshape(1, 1, 3, 3), np.array([[0, 0, 2, 2]])
    >>> pooled, argmax = ra.roi_pool(ramp, boxes, 2, return_argmax=True)
    >>> ra.roi_pool_backward(np.ones_like(pooled), boxes, ramp.shape, argmax=argmax)
    array([[[[0., 0., 0.],
             [0., 1., 1.],
             [0., 1., 1.]]]])
    """
    input_shape = shape("input_shape", input_shape)
    table, batch_indices = as_boxes(boxes, batch_indices, input_shape[0])
    return _core.roi_pool_backward(
        as_features(grad_output, "grad_output"),
        table,
        batch_indices,
        input_shape,
        as_argmax(argmax),
        spatial_scale,
        mode,
        quantization,
        accumulate,
        layout,
        out,
        invalid,
        as_device(device),
    )
