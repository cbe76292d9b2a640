"""Gradient of RoI pooling for the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, shape
from roialign_rs._call import backward

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import Invalid, Layout, PoolBackwardOptions, PoolMode, Quantization
    from roialign_rs.gpu import Device, DeviceArray


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
    """Gradient of `roi_pool` for its features: its backward pass.

    Given the gradient of a loss for the pooled result, return the gradient of the loss for the feature maps. Pass the
    same boxes and options as in the call of `roi_pool`.

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
    input_shape : (int, int, int, int)
        Shape of the features, in the order of ``layout``.
    argmax : array of int64, with the shape of ``grad_output``, optional
        The ``argmax`` that `roi_pool` returned. Required for ``mode="max"``, refused for ``mode="avg"``.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    mode : {"max", "avg"}, default "max"
        Value of a bin, as in the call of `roi_pool`: maximum or mean of its cells.
    quantization : {"caffe", "mmcv", "floor", "truncate"}, default "caffe"
        How the box and its bins are rounded to whole cells, as in the call of `roi_pool`.
    accumulate : bool, default False
        Add the gradient to ``out``, which is then required, instead of overwriting it.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of ``grad_output``, ``input_shape``, ``argmax`` and the result: N images (K boxes), C
        channels, height H, width W.
    out : array, optional
        Array to write the gradient to, with its shape and dtype and any strides. It must not share memory with an
        input. By default a new array is returned.
    invalid : {"raise", "zero", "nan"}, default "raise"
        What to do with a box that has a NaN or infinite coordinate or a batch index of no image: raise a ValueError
        that names the row, or skip the box, so that it contributes no gradient ("zero" and "nan").
    device : gpu.Device, optional
        GPU to compute on (experimental): arrays are uploaded and the result is downloaded. Leave it out if
        ``grad_output`` is a `gpu.DeviceArray`. The result is then one too, and so must ``out`` be; ``argmax`` may be.

    Returns
    -------
    array of shape ``input_shape``
        Gradient for the features, with the dtype of ``grad_output``.

    Raises
    ------
    ValueError
        If a shape or a value is not valid. The message names the argument and, for a box, its row. An ``argmax`` on a
        device is not checked: a value that is out of range contributes no gradient.
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
    roi_pool : The forward pass.

    Notes
    -----
    With "max" each bin passes its gradient to the cell in ``argmax``. With "avg" a bin of n cells passes 1/n of its
    gradient to each. float16 and bfloat16 are summed in float32 and rounded once.

    Examples
    --------
    The four bins have their maxima on the cells (1, 1) to (2, 2) of the map ``f[y, x] = 3 y + x``:

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp, boxes = np.arange(9.0).reshape(1, 1, 3, 3), np.array([[0, 0, 2, 2]])
    >>> pooled, argmax = ra.roi_pool(ramp, boxes, 2, return_argmax=True)
    >>> ra.roi_pool_backward(np.ones_like(pooled), boxes, ramp.shape, argmax=argmax)
    array([[[[0., 0., 0.],
             [0., 1., 1.],
             [0., 1., 1.]]]])
    """
    (gradient,) = backward(
        _core.RoiPool(mode, quantization),
        grad_output,
        boxes,
        batch_indices,
        [shape("input_shape", input_shape)],
        [spatial_scale],
        None,
        argmax,
        accumulate,
        layout,
        None if out is None else [out],
        invalid,
        device,
    )
    return gradient
