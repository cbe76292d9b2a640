"""Ask the core what RoI pooling and RoI Align do to one box.

Every rule of both operators works on one axis at a time. The rules are in the Rust core; nothing here rounds a
coordinate or places a sample.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._align import roi_align
from roialign_rs._args import Pair, array, box as as_box
from roialign_rs._axis import Axis
from roialign_rs._core import flag, pair, real
from roialign_rs._explanation import Explanation, Readings, Settings
from roialign_rs._pool import roi_pool

if TYPE_CHECKING:
    from roialign_rs._options import Quantization, SamplePoints

__all__ = ["Explanation", "explain"]

_MOST_POINTS = 1 << 20
"""An explanation holds every point with its four taps; above this it is neither a picture nor a table to read."""
_MOST_CELLS = 2**31 - 1
"""The largest side of a map, as in the operators."""
_CENTRE = 0.5
"""The core counts pixel centres at integers; an explanation counts cell edges at integers."""


def explain(
    box: ArrayLike,
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    map_size: Pair | None = None,
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    sample_points: SamplePoints = "center",
    quantization: Quantization = "caffe",
    features: ArrayLike | None = None,
) -> Explanation:
    """Show what RoI pooling and RoI Align do to one box.

    Options and their defaults are those of `roi_align` and `roi_pool`. Memory follows the box, not the map.

    Parameters
    ----------
    box : (4,) array_like
        `x1, y1, x2, y2` in image pixels.
    output_size : int or (int, int)
        Height and width of the output.
    spatial_scale : float
        Cells per image pixel, one over the stride.
    map_size : int or (int, int), optional
        Height and width of the feature map. May be left out when `features` is given.
    sampling_ratio : int or (int, int)
        Points of RoI Align per bin, along y and x; 0 or less means one per cell of the bin, rounded up.
    aligned : bool
        Whether RoI Align shifts the box by half a pixel, as in `roi_align`. Without the shift its points stand half a
        cell further, and a box counts as at least one cell wide and high.
    sample_points : {"center", "interior"}
        Where the points stand in a bin, as in `roi_align`; the article's thirds are "interior".
    quantization : {"caffe", "mmcv", "floor", "truncate"}
        How RoI pooling rounds, as in `roi_pool`.
    features : (H, W) array_like of float16, bfloat16, float32, float64 or uint8, optional
        One channel of the feature map. Adds `Explanation.values`, `pooled_values` and `aligned_values`, and shows the
        values in the picture. Not copied.

    Returns
    -------
    Explanation
        Every number behind the two results, and a picture of them.

    Raises
    ------
    ValueError
        If an argument is out of its range, the box would need more than 2^20 points, or neither `map_size` nor
        `features` is given.
    TypeError
        For a dtype of `features` that the operators do not take, or for an argument of a wrong kind, which is named.

    Notes
    -----
    The geometry is computed in float64; the operators compute it in the dtype of their boxes.

    Examples
    --------
    A box of 200 x 145 pixels on a map of stride 32, with the defaults of the operators:

    >>> import roialign_rs as ra
    >>> box = (296, 192, 496, 337)
    >>> e = ra.explain(box, 3, spatial_scale=1 / 32, map_size=16)
    >>> e.mapped_box, e.quantised_box
    (array([ 9.25   ,  6.     , 15.5    , 10.53125]), array([ 9,  6, 17, 12]))
    >>> e.loss_area, e.gain_area, e.roi_area
    (0.0, 13.6796875, 28.3203125)
    >>> e.sample_points.shape
    (3, 3, 2, 3, 2)

    With the map come the values that RoI Align reads, and both results:

    >>> import numpy as np
    >>> ramp = np.add.outer(np.zeros(16), np.arange(16.0))
    >>> e = ra.explain(box, 3, spatial_scale=1 / 32, features=ramp)
    >>> e.values[0, 0].round(2).tolist()
    [[9.1, 9.79, 10.49], [9.1, 9.79, 10.49]]
    >>> e.pooled_values[0], e.aligned_values[0].round(2)
    (array([11., 14., 15.]), array([ 9.79, 11.88, 13.96]))
    """
    corners = as_box(box)
    spatial_scale = real("spatial_scale", spatial_scale)
    if not 0.0 < spatial_scale < math.inf:
        raise ValueError(f"spatial_scale must be finite and positive, got {spatial_scale}")
    x1, y1, x2, y2 = corners.tolist()
    if not math.isfinite((x2 * spatial_scale - x1 * spatial_scale) * (y2 * spatial_scale - y1 * spatial_scale)):
        raise ValueError(f"box: {(x1, y1, x2, y2)} has no finite area when multiplied by spatial_scale")
    height, width = _positive_pair("output_size", output_size)
    plane = None if features is None else array(features)
    map_height, map_width = _map_size(map_size, plane)
    ratio_y, ratio_x = pair("sampling_ratio", sampling_ratio)
    settings = Settings(spatial_scale, (ratio_y, ratio_x), flag("aligned", aligned), sample_points, quantization)
    axis_y = _axis((y1, y2), height, map_height, ratio_y, settings)
    axis_x = _axis((x1, x2), width, map_width, ratio_x, settings)
    _check_points(_points(axis_y) * _points(axis_x))
    return Explanation(
        box=(x1, y1, x2, y2),
        settings=settings,
        _x=axis_x,
        _y=axis_y,
        _readings=None if plane is None else _readings(plane, corners, (height, width), settings),
    )


def _axis(ends: tuple[float, float], bins: int, extent: int, sampling_ratio: int, settings: Settings) -> Axis:
    """Ask the core for the samples and the integer bins along one axis."""
    scale, aligned = settings.spatial_scale, settings.aligned
    # A lower bound on the points, so that a huge box is refused before any array is made.
    _check_points(max(bins, bins * sampling_ratio if sampling_ratio > 0 else (ends[1] - ends[0]) * scale))
    positions, index, weight = _core.sample_axis(
        ends, bins, extent, scale, sampling_ratio, aligned, settings.sample_points
    )
    # Two centred samples of a single bin stand a quarter of the box away from its ends: the box RoI Align divides.
    first, second = _core.sample_axis(ends, 1, extent, scale, 2, aligned, "center")[0][0]
    margin = (second - first) / 2
    start, end = _core.pool_axis(ends, 1, scale, settings.quantization)[0]
    return Axis(
        extent=extent,
        mapped=np.array(ends) * scale,
        quantised=np.array([start, max(end, start + 1)]),
        pooled=np.clip(_core.pool_axis(ends, bins, scale, settings.quantization), 0, extent),
        edges=np.linspace(first - margin, second + margin, bins + 1) + _CENTRE,
        points=positions + _CENTRE,
        tap_index=index,
        tap_weight=weight,
    )


def _points(axis: Axis) -> int:
    """Count the points of one axis; a bin without any still has edges to hold."""
    return max(axis.points.size, len(axis.pooled))


def _check_points(count: float) -> None:
    if count > _MOST_POINTS:
        raise ValueError(f"explain shows at most {_MOST_POINTS} points, this box takes {count:.7g} or more")


def _readings(plane: NDArray[Any], box: NDArray[np.float64], output_size: Pair, settings: Settings) -> Readings:
    """Run both operators on the box, which also refuses features that they do not take."""
    features, boxes = plane[None, None], box[None]
    scale = settings.spatial_scale
    pooled = roi_pool(features, boxes, output_size, spatial_scale=scale, quantization=settings.quantization)
    aligned = roi_align(
        features,
        boxes,
        output_size,
        spatial_scale=scale,
        sampling_ratio=settings.sampling_ratio,
        aligned=settings.aligned,
        sample_points=settings.sample_points,
    )
    return Readings(plane, pooled[0, 0], aligned[0, 0])


def _map_size(map_size: Pair | None, features: NDArray[Any] | None) -> tuple[int, int]:
    """Take the size that is given, or the shape of the features."""
    if features is None:
        if map_size is None:
            raise ValueError("map_size: must be given when features are not")
        size = _positive_pair("map_size", map_size)
        if max(size) > _MOST_CELLS:
            raise ValueError(f"map_size: must be at most {_MOST_CELLS}, got {map_size}")
        return size
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features: expected one map of shape (H, W), got {features.shape}")
    height, width = features.shape
    if map_size is not None and _positive_pair("map_size", map_size) != (height, width):
        raise ValueError(f"map_size: {map_size} is not the shape of features, {(height, width)}; leave it out")
    return height, width


def _positive_pair(name: str, value: Pair) -> tuple[int, int]:
    size = pair(name, value)
    if min(size) < 1:
        raise ValueError(f"{name}: must be at least 1, got {value}")
    return size
