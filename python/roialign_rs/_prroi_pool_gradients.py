"""Gradients of precise RoI pooling for the features and for the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, features as as_features, shape
from roialign_rs._call import backward, box_gradient

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import Invalid, Layout, Options
    from roialign_rs.gpu import Device, DeviceArray


@overload
def prroi_pool_backward(
    grad_output: DeviceArray,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    spatial_scale: float = ...,
    accumulate: bool = ...,
    out: DeviceArray | None = ...,
    **options: Unpack[Options],
) -> DeviceArray: ...
@overload
def prroi_pool_backward(
    grad_output: ArrayLike,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    spatial_scale: float = ...,
    accumulate: bool = ...,
    out: NDArray[Any] | None = ...,
    **options: Unpack[Options],
) -> NDArray[Any]: ...
def prroi_pool_backward(
    grad_output: ArrayLike | DeviceArray,
    boxes: Boxes,
    input_shape: Sequence[SupportsIndex],
    *,
    spatial_scale: float = 1.0,
    accumulate: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | DeviceArray | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> NDArray[Any] | DeviceArray:
    """Gradient of `prroi_pool` for its features: its backward pass.

    Given the gradient of a loss for the pooled result, return the gradient of the loss for the feature maps. Pass the
    same boxes and options as in the call of `prroi_pool`.

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
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    accumulate : bool, default False
        Add the gradient to ``out``, which is then required, instead of overwriting it.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of ``grad_output``, ``input_shape`` and the result: N images (K boxes), C channels, height H,
        width W.
    out : array, optional
        Array to write the gradient to, with its shape and dtype and any strides. It must not share memory with an
        input. By default a new array is returned.
    invalid : {"raise", "zero", "nan"}, default "raise"
        What to do with a box that has a NaN or infinite coordinate or a batch index of no image: raise a ValueError
        that names the row, or skip the box, so that it contributes no gradient ("zero" and "nan").
    device : gpu.Device, optional
        GPU to compute on (experimental): arrays are uploaded and the result is downloaded. Leave it out if
        ``grad_output`` is a `gpu.DeviceArray`. The result is then one too, and so must ``out`` be.

    Returns
    -------
    array of shape ``input_shape``
        Gradient for the features, with the dtype of ``grad_output``. Cells that no bin reads get 0.

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
    prroi_pool : The forward pass.
    prroi_pool_box_gradient : Gradient for the boxes.

    Notes
    -----
    If the forward pass gives cell (y, x) the weight w in bin (p, q) of box k, this function adds
    ``w * grad_output[k, c, p, q]`` to cell (y, x) of channel c. The result does not depend on the number of threads.
    float16 and bfloat16 are summed in float32 and rounded once.

    Examples
    --------
    The bin of the box (1, 1, 3, 3) covers half of the hats of the cells 1 and 3, and all of that of cell 2:

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ra.prroi_pool_backward(np.ones((1, 1, 1, 1)), np.array([[1.0, 1, 3, 3]]), (1, 1, 4, 4))
    array([[[[0.    , 0.    , 0.    , 0.    ],
             [0.    , 0.0625, 0.125 , 0.0625],
             [0.    , 0.125 , 0.25  , 0.125 ],
             [0.    , 0.0625, 0.125 , 0.0625]]]])
    """
    (gradient,) = backward(
        _core.PrRoiPool(),
        grad_output,
        boxes,
        batch_indices,
        [shape("input_shape", input_shape)],
        [spatial_scale],
        None,
        None,
        accumulate,
        layout,
        None if out is None else [out],
        invalid,
        device,
    )
    return gradient


def prroi_pool_box_gradient(
    grad_output: ArrayLike,
    features: ArrayLike,
    boxes: Boxes,
    *,
    spatial_scale: float = 1.0,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | None = None,
    invalid: Invalid = "raise",
) -> NDArray[Any]:
    """Gradient of `prroi_pool` for its boxes: how the means change when a box moves or grows.

    Given the gradient of a loss for the pooled result, return the gradient of the loss for the coordinates of each box.
    Pass the same arguments as in the call of `prroi_pool`. It runs on the CPU alone.

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
    prroi_pool : The forward pass.
    prroi_pool_backward : Gradient for the features.

    Notes
    -----
    The mean of a bin changes with its upper edge along x by the mean of the surface on this edge, less the mean of the
    bin, divided by the width of the bin; with its lower edge by the opposite. This derivative is exact everywhere. A
    box without area has the gradient 0. The result does not depend on the number of threads.

    Examples
    --------
    The map ``f[y, x] = 6 y + x`` rises by 1 per column and by 6 per row. Half of the motion of each side reaches the
    centre of the box, and with it the mean:

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> ramp, box = np.arange(36.0).reshape(1, 1, 6, 6), np.array([[1.2, 1.3, 3.9, 4.1]])
    >>> ra.prroi_pool_box_gradient(np.ones((1, 1, 1, 1)), ramp, box).round(12)
    array([[0.5, 3. , 0.5, 3. ]])
    """
    return box_gradient(
        _core.PrRoiPool(),
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
