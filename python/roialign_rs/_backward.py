"""Gradients of the operators. As in `_ops`, arguments are made convenient, and one call of the core does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair, argmax as as_argmax, boxes as as_boxes, features as as_features, shape
from roialign_rs._ops import Invalid, Layout

if TYPE_CHECKING:
    from roialign_rs.gpu import Device, DeviceArray


def roi_align_backward(
    grad_output: ArrayLike | DeviceArray,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    spatial_scale: float = 1.0,
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    mode: Literal["avg", "max", "onnx_max"] = "avg",
    sample_points: Literal["center", "interior"] = "center",
    argmax: ArrayLike | DeviceArray | None = None,
    accumulate: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | DeviceArray | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> Any:
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
    ValueError, TypeError, MemoryError
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
        as_features(grad_output),
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
        None if device is None else device._core,
    )


def roi_pool_backward(
    grad_output: ArrayLike | DeviceArray,
    argmax: ArrayLike | DeviceArray | None,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    mode: Literal["max", "avg"] = "max",
    spatial_scale: float = 1.0,
    quantization: Literal["caffe", "mmcv", "floor", "truncate"] = "caffe",
    accumulate: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | DeviceArray | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> Any:
    """Gradient of `roi_pool` for its features.

    Parameters
    ----------
    grad_output, input_shape, accumulate, layout, out, device
        As for `roi_align_backward`.
    argmax : int64 array of the shape of ``grad_output``, or None
        What the forward call returned; None with ``mode="avg"``.
    boxes, mode, spatial_scale, quantization, batch_indices, invalid
        As in the forward call.

    Returns
    -------
    array of ``input_shape``
        Of the dtype of ``grad_output``.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As for `roi_align_backward`.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp, boxes = np.arange(9.0).reshape(1, 1, 3, 3), np.array([[0, 0, 2, 2]])
    >>> pooled, argmax = ra.roi_pool(ramp, boxes, 2, return_argmax=True)
    >>> ra.roi_pool_backward(np.ones_like(pooled), argmax, boxes, ramp.shape)
    array([[[[0., 0., 0.],
             [0., 1., 1.],
             [0., 1., 1.]]]])
    """
    input_shape = shape("input_shape", input_shape)
    table, batch_indices = as_boxes(boxes, batch_indices, input_shape[0])
    return _core.roi_pool_backward(
        as_features(grad_output),
        as_argmax(argmax),
        table,
        batch_indices,
        input_shape,
        spatial_scale,
        mode,
        quantization,
        accumulate,
        layout,
        out,
        invalid,
        None if device is None else device._core,
    )
