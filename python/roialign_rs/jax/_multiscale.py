"""RoI Align on a feature pyramid for JAX arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from roialign_rs import _core
from roialign_rs._args import Pair, sequence
from roialign_rs._call import as_levels
from roialign_rs._core import pair
from roialign_rs.jax._boxes import image_count, table
from roialign_rs.jax._functions import Layout
from roialign_rs.jax._operators import Call, apply


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
    """Cut boxes out of a feature pyramid, each from the map that fits its size, by RoI Align.

    It does the same as `roialign_rs.multiscale_roi_align`, which has the definition, for JAX arrays.

    Parameters
    ----------
    features_list : list of (N, C, H_i, W_i) arrays of float16, bfloat16, float32, float64 or uint8
        Feature maps of the same N images, highest resolution first, all with the same number of channels C and dtype.
        With ``layout="NHWC"`` the shapes are (N, H_i, W_i, C).
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i, and ``[]`` means none. One box may also come
        as (4,) or (5,). Coordinates are computed in float64 if the boxes have float64, otherwise in float32.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scales : sequence of float
        Map cells per image pixel of each map, 1 / stride. Consecutive powers of two such as (1/4, 1/8, 1/16).
    sampling_ratio : int or (int, int), default 0
        Samples per bin along y and x, at most 65536. If 0 or less, a bin has ``ceil(side of the bin in map cells)``
        samples along each axis.
    aligned : bool, default True
        True shifts boxes by half a map cell, so that integer coordinates are pixel edges, as in Detectron2, mmcv and
        ONNX 16. False is the older rule: no shift, and sides shorter than one map cell are widened to one. The default
        of torchvision is False.
    canonical_size : float, default 224
        Side, in image pixels, of a square box that is pooled from the map of ``canonical_level``.
    canonical_level : int, default 4
        Level of the map for boxes of ``canonical_size``. The stride of level l is ``2**l``.
    rule : {"detectron2", "torchvision"}, default "detectron2"
        The library whose rounding is used for boxes near the boundary of two levels; see `roialign_rs.assign_stages`.
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
    roialign_rs.multiscale_roi_align : The operator on NumPy arrays.

    Notes
    -----
    Arrays may be traced (under ``jit`` and the like); all other arguments must be known when the program is traced. The
    program calls the NumPy operator on the CPU and waits for it. Boxes with NaN or a batch index of no image are found
    when the program runs: JAX then raises its error for callbacks, which contains our message.

    Examples
    --------
    A box of 82 x 62 pixels belongs to the first map:

    >>> import jax.numpy as jnp
    >>> from roialign_rs.jax import multiscale_roi_align
    >>> maps = [jnp.full((1, 8, 64, 64), 1.0), jnp.full((1, 8, 32, 32), 2.0)]
    >>> pooled = multiscale_roi_align(maps, jnp.array([[8.0, 8.0, 90.0, 70.0]]), 7, spatial_scales=(1 / 4, 1 / 8))
    >>> pooled.shape, float(pooled.max())
    ((1, 8, 7, 7), 1.0)
    """
    maps = tuple(jnp.asarray(one) for one in sequence("features_list", features_list))
    op = _core.RoiAlign(sampling_ratio, aligned, "avg", "center")
    size, scales = pair("output_size", output_size), tuple(sequence("spatial_scales", spatial_scales))
    pool = Call(op, size, scales, as_levels(canonical_size, canonical_level, rule, None), layout)
    return apply(pool, maps, table(boxes, batch_indices, image_count(maps[0]) if maps else 0))
