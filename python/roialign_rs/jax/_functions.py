"""The package's functions on JAX arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

import roialign_rs as ra
from roialign_rs._args import Pair, sequence
from roialign_rs._core import pair
from roialign_rs.jax._boxes import table
from roialign_rs.jax._operators import Operator, apply

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
    """Pool each box by sampling it on a regular grid, as `roialign_rs.roi_align`.

    Parameters
    ----------
    features, output_size, spatial_scale, sampling_ratio, aligned, mode, sample_points, layout
        As for `roialign_rs.roi_align`. All but the features must be known when the program is traced.
    boxes : (K, 4) or (K, 5) array, (4,) or (5,) for one box, or a sequence of N (K_i, 4) arrays
        ``x1, y1, x2, y2`` in image pixels; with five columns, the first one is the image's number. In a sequence, ``[]``
        is an image without boxes.
    batch_indices : (K,) array of integers, optional
        Image of each box, for boxes of shape (K, 4). May be left out when N = 1.
    box_grad : bool
        Give boxes their gradient too, where ``mode`` is "avg" and ``sample_points`` "center"; otherwise it is 0.

    Returns
    -------
    (K, C, height, width) array, or (K, height, width, C) with ``layout="NHWC"``
        Of the features' dtype; float32 for uint8.

    Notes
    -----
    Runs on the host, under ``jit`` and ``vmap`` too; the program waits for it. Wrong options, shapes and dtypes are
    refused when the program is traced, as by `roialign_rs.roi_align`. Wrong values in ``boxes`` or ``batch_indices`` are
    known only on the host, and come as JAX's error for callbacks, with our message in it.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from roialign_rs.jax import roi_align
    >>> ramp = jnp.arange(25.0).reshape(1, 1, 5, 5)
    >>> pool = jax.jit(lambda features, boxes: roi_align(features, boxes, 2, sampling_ratio=2))
    >>> pool(ramp, jnp.array([[1.0, 1.0, 3.0, 3.0]]))
    Array([[[[ 6.,  7.],
             [11., 12.]]]], dtype=float32)
    """
    if not (isinstance(box_grad, (int, np.integer, np.bool_)) and box_grad in (0, 1)):
        raise TypeError(f"box_grad must be True or False, got {box_grad!r}")
    if box_grad and (mode != "avg" or sample_points != "center"):
        raise ValueError('box_grad must be False unless mode="avg" and sample_points="center"')
    features = jnp.asarray(features)
    pool = Operator(
        ra.roi_align,
        ra.roi_align_backward,
        pair("output_size", output_size),
        layout,
        (
            ("spatial_scale", spatial_scale),
            ("sampling_ratio", pair("sampling_ratio", sampling_ratio)),
            ("aligned", aligned),
            ("mode", mode),
            ("sample_points", sample_points),
        ),
        has_argmax=mode != "avg",
        box_grad=bool(box_grad),
    )
    return apply(pool, (features,), table(boxes, batch_indices, _images(features)))


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
    """Pool each box after rounding it, and its bins, to whole cells, as `roialign_rs.roi_pool`.

    Parameters
    ----------
    features, output_size, spatial_scale, mode, quantization, layout
        As for `roialign_rs.roi_pool`. All but the features must be known when the program is traced.
    boxes, batch_indices
        As for `roi_align`.

    Returns
    -------
    (K, C, height, width) array, or (K, height, width, C) with ``layout="NHWC"``
        Of the features' dtype; float32 for uint8.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from roialign_rs.jax import roi_pool
    >>> ramp = jnp.arange(25.0).reshape(1, 1, 5, 5)
    >>> roi_pool(ramp, jnp.array([[1.0, 1.0, 3.0, 3.0]]), 2)
    Array([[[[12., 13.],
             [17., 18.]]]], dtype=float32)
    """
    features = jnp.asarray(features)
    pool = Operator(
        ra.roi_pool,
        ra.roi_pool_backward,
        pair("output_size", output_size),
        layout,
        (("spatial_scale", spatial_scale), ("mode", mode), ("quantization", quantization)),
        has_argmax=mode == "max",
    )
    return apply(pool, (features,), table(boxes, batch_indices, _images(features)))


def multiscale_roi_align(
    features_list: Sequence[jax.Array],
    boxes: jax.Array | Sequence[jax.Array],
    output_size: Pair,
    *,
    spatial_scales: Sequence[float],
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    canonical_size: float = 224,
    canonical_level: int = 4,
    rule: Literal["detectron2", "torchvision"] = "detectron2",
    batch_indices: jax.Array | None = None,
    layout: Layout = "NCHW",
) -> jax.Array:
    """Pool each box from the map of a feature pyramid that suits its size, as `roialign_rs.multiscale_roi_align`.

    Parameters
    ----------
    features_list, output_size, spatial_scales, sampling_ratio, aligned, canonical_size, canonical_level, rule, layout
        As for `roialign_rs.multiscale_roi_align`. All but the features must be known when the program is traced.
    boxes, batch_indices
        As for `roi_align`.

    Returns
    -------
    (K, C, height, width) array, or (K, height, width, C) with ``layout="NHWC"``
        Of the features' dtype; float32 for uint8.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from roialign_rs.jax import multiscale_roi_align
    >>> maps = [jnp.ones((1, 8, 64, 64)), jnp.ones((1, 8, 32, 32))]
    >>> multiscale_roi_align(maps, jnp.array([[8.0, 8.0, 90.0, 70.0]]), 7, spatial_scales=(1 / 4, 1 / 8)).shape
    (1, 8, 7, 7)
    """
    maps = tuple(jnp.asarray(one) for one in sequence("features_list", features_list))
    pool = Operator(
        ra.multiscale_roi_align,
        ra.multiscale_roi_align_backward,
        pair("output_size", output_size),
        layout,
        (
            ("spatial_scales", tuple(sequence("spatial_scales", spatial_scales))),
            ("sampling_ratio", pair("sampling_ratio", sampling_ratio)),
            ("aligned", aligned),
            ("canonical_size", canonical_size),
            ("canonical_level", canonical_level),
            ("rule", rule),
        ),
        pyramid=True,
    )
    return apply(pool, maps, table(boxes, batch_indices, _images(maps[0]) if maps else 0))


def _images(features: jax.Array) -> int:
    return features.shape[0] if features.ndim else 0
