"""Ask the core what RoI pooling and RoI Align do to one box.

Every rule of both operators works on one axis at a time. The rules are in the Rust core; nothing here rounds a
coordinate or places a sample.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from roialign_rs import _core
from roialign_rs._args import Pair
from roialign_rs._core import pair
from roialign_rs._explanation import Axis, Explanation, Quantization, SamplePoints

__all__ = ["Explanation", "explain"]

_MAX_POINTS = 1 << 20
"""An explanation holds every point with its four taps; above this it is neither a picture nor a table to read."""
_CENTRE = 0.5
"""The core counts pixel centres at integers; an explanation counts cell edges at integers."""


def explain(
    box: ArrayLike,
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    map_size: Pair,
    sampling_ratio: Pair = 2,
    aligned: bool = True,
    sample_points: SamplePoints = "center",
    quantization: Quantization = "truncate",
) -> Explanation:
    """Show what RoI pooling and RoI Align do to one box.

    Parameters
    ----------
    box : (4,) array_like
        `x1, y1, x2, y2` in image pixels.
    output_size : int or (int, int)
        Height and width of the output.
    spatial_scale : float
        Cells per image pixel, one over the stride.
    map_size : int or (int, int)
        Height and width of the feature map.
    sampling_ratio : int or (int, int)
        Points of RoI Align per bin, along y and x; 0 or less means one per cell of the bin, rounded up.
    aligned : bool
        Whether RoI Align shifts the box by half a pixel, as in `roi_align`. Without the shift its points stand half a
        cell further, and a box counts as at least one cell wide and high.
    sample_points : {"center", "interior"}
        Where the points stand in a bin, as in `roi_align`; the article's thirds are "interior".
    quantization : {"caffe", "mmcv", "floor", "truncate"}
        How RoI pooling rounds, as in `roi_pool`.

    Returns
    -------
    Explanation
        Every number behind the two results, and a picture of them.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the box would need more than a million points.

    Notes
    -----
    The geometry is computed in float64; the operators compute it in the dtype of their boxes.

    Examples
    --------
    The article's box of 200 x 145 pixels on a map of stride 32:

    >>> import roialign_rs as ra
    >>> e = ra.explain((296, 192, 496, 337), 3, spatial_scale=1 / 32, map_size=16, sample_points="interior")
    >>> e.mapped_box, e.quantised_box
    (array([ 9.25   ,  6.     , 15.5    , 10.53125]), array([ 9,  6, 15, 10]))
    >>> e.pooled_region
    array([ 9,  6, 15,  9])
    >>> e.first_loss_area, e.second_loss_area, e.roi_area
    (5.3203125, 5.75, 28.3203125)
    >>> e.sample_points[0, 0].round(2).tolist()
    [[[9.94, 6.5], [10.64, 6.5]], [[9.94, 7.01], [10.64, 7.01]]]
    """
    corners = np.asarray(box, dtype=np.float64)
    if corners.shape != (4,):
        raise ValueError(f"box: expected four numbers x1, y1, x2, y2, got shape {corners.shape}")
    if not np.isfinite(corners).all():
        raise ValueError(f"box: coordinates must be finite, got {corners.tolist()}")
    if not 0.0 < spatial_scale < np.inf:
        raise ValueError(f"spatial_scale: must be finite and positive, got {spatial_scale}")
    spatial_scale = float(spatial_scale)
    x1, y1, x2, y2 = corners.tolist()
    if not math.isfinite((x2 * spatial_scale - x1 * spatial_scale) * (y2 * spatial_scale - y1 * spatial_scale)):
        raise ValueError(f"box: {(x1, y1, x2, y2)} has no finite area when multiplied by spatial_scale")
    height, width = _positive_pair("output_size", output_size)
    map_height, map_width = _positive_pair("map_size", map_size)
    ratio_y, ratio_x = pair("sampling_ratio", sampling_ratio)

    def points(start: float, end: float, bins: int, ratio: int) -> float:
        return bins * ratio if ratio > 0 else bins + max(end - start, 0.0) * spatial_scale

    total = points(x1, x2, width, ratio_x) * points(y1, y2, height, ratio_y)
    if total > _MAX_POINTS:
        raise ValueError(f"explain shows at most {_MAX_POINTS} points, this box takes about {total:.3g}")

    axis = partial(
        _axis,
        spatial_scale=spatial_scale,
        aligned=aligned,
        sample_points=sample_points,
        quantization=quantization,
    )
    return Explanation(
        box=(x1, y1, x2, y2),
        spatial_scale=spatial_scale,
        aligned=aligned,
        placement=sample_points,
        quantization=quantization,
        _x=axis((x1, x2), width, map_width, ratio_x),
        _y=axis((y1, y2), height, map_height, ratio_y),
    )


def _axis(
    ends: tuple[float, float],
    bins: int,
    extent: int,
    sampling_ratio: int,
    *,
    spatial_scale: float,
    aligned: bool,
    sample_points: SamplePoints,
    quantization: Quantization,
) -> Axis:
    """Ask the core for the samples and the integer bins along one axis."""
    positions, index, weight = _core.sample_axis(
        ends, bins, extent, spatial_scale, sampling_ratio, aligned, sample_points
    )
    # Two centred samples of a single bin stand a quarter of the box away from its ends: the box RoI Align divides.
    first, second = _core.sample_axis(ends, 1, extent, spatial_scale, 2, aligned, "center")[0][0]
    margin = (second - first) / 2
    start, end = _core.pool_axis(ends, 1, spatial_scale, quantization)[0]
    return Axis(
        extent=extent,
        mapped=np.array(ends) * spatial_scale,
        quantised=np.array([start, max(end, start + 1)]),
        pooled=np.clip(_core.pool_axis(ends, bins, spatial_scale, quantization), 0, extent),
        edges=np.linspace(first - margin, second + margin, bins + 1) + _CENTRE,
        points=positions + _CENTRE,
        tap_index=index,
        tap_weight=weight,
    )


def _positive_pair(name: str, value: Pair) -> tuple[int, int]:
    size = pair(name, value)
    if min(size) < 1:
        raise ValueError(f"{name}: must be at least 1, got {value}")
    return size
