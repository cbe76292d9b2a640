"""RoI Align and RoI pooling for JAX arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from roialign_rs import _core
from roialign_rs._args import Pair
from roialign_rs._core import flag, pair
from roialign_rs.jax._boxes import image_count, table
from roialign_rs.jax._operators import Call, apply

Layout = Literal["NCHW", "NHWC"]


def roi_align(
    features: jax.Array,
    boxes: jax.Array | Sequence[jax.Array],
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    mode: Literal["avg", "max", "onnx_max"] = "avg",
    sample_points: Literal["center", "interior"] = "center",
    batch_indices: jax.Array | None = None,
    layout: Layout = "NCHW",
    box_grad: bool = False,
) -> jax.Array:
    """Cut boxes out of feature maps and resize each to a grid of the same size, by bilinear sampling.

    It does the same as `roialign_rs.roi_align`, which has the definition, for JAX arrays.

    Parameters
    ----------
    features : (N, C, H, W) array of float16, bfloat16, float32, float64 or uint8
        Feature maps of N images with C channels. With ``layout="NHWC"`` the shape is (N, H, W, C).
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i, and ``[]`` means none. One box may also come
        as (4,) or (5,). Coordinates are computed in float64 if the boxes have float64, otherwise in float32.
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
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of features and result: N images (K boxes), C channels, height H, width W.
    box_grad : bool, default False
        Compute the gradient for ``boxes`` too. Needs ``mode="avg"`` and ``sample_points="center"``. With False the
        gradient for boxes is 0.

    Returns
    -------
    (K, C, height, width) array
        One grid for each box, in the order of the boxes and with the dtype of the features (float32 for uint8). With
        ``layout="NHWC"`` the shape is (K, height, width, C).

    Raises
    ------
    ValueError
        If a shape or an option is not valid, when the program is traced.
    TypeError
        If the dtype or the type of an argument is not supported, when the program is traced.

    See Also
    --------
    roialign_rs.roi_align : The operator on NumPy arrays.

    Notes
    -----
    Arrays may be traced (under ``jit`` and the like); all other arguments must be known when the program is traced. The
    program calls the NumPy operator on the CPU and waits for it. Boxes with NaN or a batch index of no image are found
    when the program runs: JAX then raises its error for callbacks, which contains our message.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the four bins of the box (1, 1, 3, 3) are centred on the cells (1, 1) to (2, 2):

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from roialign_rs.jax import roi_align
    >>> ramp = jnp.arange(25.0).reshape(1, 1, 5, 5)
    >>> pool = jax.jit(lambda features, boxes: roi_align(features, boxes, 2, sampling_ratio=2))
    >>> pool(ramp, jnp.array([[1.0, 1.0, 3.0, 3.0]]))
    Array([[[[ 6.,  7.],
             [11., 12.]]]], dtype=float32)
    """
    box_grad = flag("box_grad", box_grad)
    if box_grad and (mode != "avg" or sample_points != "center"):
        raise ValueError('box_grad must be False unless mode="avg" and sample_points="center"')
    features = jnp.asarray(features)
    op = _core.RoiAlign(sampling_ratio, aligned, mode, sample_points)
    size, scales = pair("output_size", output_size), (spatial_scale,)
    pool = Call(op, size, scales, None, layout, has_argmax=mode != "avg", box_grad=box_grad)
    return apply(pool, (features,), table(boxes, batch_indices, image_count(features)))


def prroi_pool(
    features: jax.Array,
    boxes: jax.Array | Sequence[jax.Array],
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    batch_indices: jax.Array | None = None,
    layout: Layout = "NCHW",
    box_grad: bool = False,
) -> jax.Array:
    """Cut boxes out of feature maps and resize each to a grid of the same size, by exact averages.

    It does the same as `roialign_rs.prroi_pool`, which has the definition, for JAX arrays.

    Parameters
    ----------
    features : (N, C, H, W) array of float16, bfloat16, float32, float64 or uint8
        Feature maps of N images with C channels. With ``layout="NHWC"`` the shape is (N, H, W, C).
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i, and ``[]`` means none. One box may also come
        as (4,) or (5,). Coordinates are computed in float64 if the boxes have float64, otherwise in float32.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of features and result: N images (K boxes), C channels, height H, width W.
    box_grad : bool, default False
        Compute the gradient for ``boxes`` too. With False the gradient for boxes is 0.

    Returns
    -------
    (K, C, height, width) array
        One grid for each box, in the order of the boxes and with the dtype of the features (float32 for uint8). With
        ``layout="NHWC"`` the shape is (K, height, width, C).

    Raises
    ------
    ValueError
        If a shape or an option is not valid, when the program is traced.
    TypeError
        If the dtype or the type of an argument is not supported, when the program is traced.

    See Also
    --------
    roialign_rs.prroi_pool : The operator on NumPy arrays.

    Notes
    -----
    Arrays may be traced (under ``jit`` and the like); all other arguments must be known when the program is traced. The
    program calls the NumPy operator on the CPU and waits for it. Boxes with NaN or a batch index of no image are found
    when the program runs: JAX then raises its error for callbacks, which contains our message.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the mean of a bin is the value in its middle:

    >>> import jax.numpy as jnp
    >>> from roialign_rs.jax import prroi_pool
    >>> ramp = jnp.arange(25.0).reshape(1, 1, 5, 5)
    >>> prroi_pool(ramp, jnp.array([[1.0, 1.0, 3.0, 3.0]]), 2)
    Array([[[[ 9., 10.],
             [14., 15.]]]], dtype=float32)
    """
    features = jnp.asarray(features)
    size, scales = pair("output_size", output_size), (spatial_scale,)
    pool = Call(_core.PrRoiPool(), size, scales, None, layout, box_grad=flag("box_grad", box_grad))
    return apply(pool, (features,), table(boxes, batch_indices, image_count(features)))


def roi_pool(
    features: jax.Array,
    boxes: jax.Array | Sequence[jax.Array],
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    mode: Literal["max", "avg"] = "max",
    quantization: Literal["caffe", "mmcv", "floor", "truncate"] = "caffe",
    batch_indices: jax.Array | None = None,
    layout: Layout = "NCHW",
) -> jax.Array:
    """Cut boxes out of feature maps and resize each to a grid of the same size, by pooling whole cells.

    It does the same as `roialign_rs.roi_pool`, which has the definition, for JAX arrays.

    Parameters
    ----------
    features : (N, C, H, W) array of float16, bfloat16, float32, float64 or uint8
        Feature maps of N images with C channels. With ``layout="NHWC"`` the shape is (N, H, W, C).
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i, and ``[]`` means none. One box may also come
        as (4,) or (5,). Coordinates are computed in float64 if the boxes have float64, otherwise in float32.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    mode : {"max", "avg"}, default "max"
        Value of a bin: the maximum of its cells, or the mean of its cells that are on the map.
    quantization : {"caffe", "mmcv", "floor", "truncate"}, default "caffe"
        How the box and its bins are rounded to whole cells. "caffe" is the rule of torchvision and ONNX, "mmcv" that of
        mmcv; "floor" and "truncate" are the rules of many tutorials.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of features and result: N images (K boxes), C channels, height H, width W.

    Returns
    -------
    (K, C, height, width) array
        One grid for each box, in the order of the boxes and with the dtype of the features (float32 for uint8). With
        ``layout="NHWC"`` the shape is (K, height, width, C).

    Raises
    ------
    ValueError
        If a shape or an option is not valid, when the program is traced.
    TypeError
        If the dtype or the type of an argument is not supported, when the program is traced.

    See Also
    --------
    roialign_rs.roi_pool : The operator on NumPy arrays.

    Notes
    -----
    Arrays may be traced (under ``jit`` and the like); all other arguments must be known when the program is traced. The
    program calls the NumPy operator on the CPU and waits for it. Boxes with NaN or a batch index of no image are found
    when the program runs: JAX then raises its error for callbacks, which contains our message.

    Examples
    --------
    On the map ``f[y, x] = 5 y + x``, the bins of the box (1, 1, 3, 3) return their last cells, (2, 2) to (3, 3):

    >>> import jax.numpy as jnp
    >>> from roialign_rs.jax import roi_pool
    >>> ramp = jnp.arange(25.0).reshape(1, 1, 5, 5)
    >>> roi_pool(ramp, jnp.array([[1.0, 1.0, 3.0, 3.0]]), 2)
    Array([[[[12., 13.],
             [17., 18.]]]], dtype=float32)
    """
    features = jnp.asarray(features)
    op = _core.RoiPool(mode, quantization)
    pool = Call(op, pair("output_size", output_size), (spatial_scale,), None, layout, has_argmax=mode == "max")
    return apply(pool, (features,), table(boxes, batch_indices, image_count(features)))
