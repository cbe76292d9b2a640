"""Computes the explanation of one box.

The rules of both operators work on one axis at a time. They are in the Rust core: this file rounds no coordinate and
places no sample.
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
from roialign_rs._explanation import Explanation
from roialign_rs._pool import roi_pool
from roialign_rs._settings import Readings, Settings

if TYPE_CHECKING:
    from roialign_rs._options import Quantization, SamplePoints

__all__ = ["Explanation", "explain"]

_MOST_POINTS = 1 << 20
"""An explanation stores every sample with its four taps. With more samples nobody can read its pictures and tables."""
_MOST_CELLS = 2**31 - 1
"""Maximum side of a map, as in the operators."""
_CENTRE = 0.5
"""Offset from the core's coordinates, with cell centres at integers, to those of explanations, with edges at integers."""


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
    """Show which map cells RoI pooling and RoI Align use for one box, and with what weight.

    Use it to see why two libraries disagree, or how much of a box rounding loses. The options and their defaults are
    those of `roi_align` and `roi_pool`. ``print`` the result for a summary in words, and call its `Explanation.plot`
    for a picture.

    Parameters
    ----------
    box : (4,) array
        The box, ``x1, y1, x2, y2`` in image pixels.
    output_size : int or (int, int)
        Number of bins along y and x. An int means both.
    spatial_scale : float, default 1.0
        Map cells per image pixel, 1 / stride of the feature map.
    map_size : int or (int, int), optional
        Height and width of the feature map in cells. Not needed with ``features``.
    sampling_ratio : int or (int, int), default 0
        Samples of RoI Align per bin along y and x, at most 65536. If 0 or less, a bin has ``ceil(side of the bin in map
        cells)`` samples along each axis.
    aligned : bool, default True
        True shifts boxes by half a map cell, so that integer coordinates are pixel edges. False is the older rule: the
        samples of RoI Align are half a cell further, and sides shorter than one map cell are widened to one. The
        default of torchvision is False.
    sample_points : {"center", "interior"}, default "center"
        Position of sample i of n in a bin of RoI Align, as a fraction of its side: ``(i + 1/2) / n`` ("center", as in
        all libraries) or ``(i + 1) / (n + 1)`` ("interior", as in many drawings).
    quantization : {"caffe", "mmcv", "floor", "truncate"}, default "caffe"
        How RoI pooling rounds the box and its bins; see `roi_pool`.
    features : (H, W) array of float16, bfloat16, float32, float64 or uint8, optional
        One channel of the feature map, not copied. Adds the values that both operators read and return.

    Returns
    -------
    Explanation
        Bins, samples, weights and areas of both operators.

    Raises
    ------
    ValueError
        If a value is not valid, if the box has more than 2^20 samples, or if ``map_size`` and ``features`` are both
        missing.
    TypeError
        If the dtype or the type of an argument is not supported.

    See Also
    --------
    roi_align : RoI Align.
    roi_pool : RoI pooling.

    Notes
    -----
    Coordinates are computed in float64. The operators compute them in the dtype of their boxes. Memory depends on the
    size of the box in cells, not on the size of the map.

    Examples
    --------
    A box of 200 x 145 pixels on a map of stride 32. RoI pooling rounds 6.25 x 4.53 cells to 8 x 6 cells, 7 x 6 of them on
    the map. It loses nothing of the box and adds 42 - 28.3 = 13.7 cells around it:

    >>> import roialign_rs as ra
    >>> box = (296, 192, 496, 337)
    >>> e = ra.explain(box, 3, spatial_scale=1 / 32, map_size=16)
    >>> e.mapped_box, e.quantised_box
    (array([ 9.25   ,  6.     , 15.5    , 10.53125]), array([ 9,  6, 17, 12]))
    >>> e.loss_area, e.gain_area, e.roi_area
    (0.0, 13.6796875, 28.3203125)

    RoI Align reads 3 x 3 bins with 2 x 3 samples each. Each sample has an x and a y:

    >>> e.sample_points.shape
    (3, 3, 2, 3, 2)

    With the feature map, here ``f[y, x] = x``, the explanation has the samples' values and both results. A value is the
    position of the sample minus 0.5, because the centre of cell j is at ``j + 0.5``:

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
        raise ValueError(f"box: the area of {(x1, y1, x2, y2)} overflows when multiplied by spatial_scale")
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
    """Get the samples and the pooling bins of one axis from the core."""
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
    """Count the samples of one axis, or its bins if there are more of them."""
    return max(axis.points.size, len(axis.pooled))


def _check_points(count: float) -> None:
    if count > _MOST_POINTS:
        raise ValueError(
            f"box: explain shows at most {_MOST_POINTS} samples, this box has {count:.7g} or more; use a smaller box, "
            "spatial_scale or sampling_ratio"
        )


def _readings(plane: NDArray[Any], box: NDArray[np.float64], output_size: Pair, settings: Settings) -> Readings:
    """Run both operators on the box. They also validate the features."""
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
    """Return the given size of the map, or the shape of the features."""
    if features is None:
        if map_size is None:
            raise ValueError("map_size is needed without features; pass one of the two")
        size = _positive_pair("map_size", map_size)
        if max(size) > _MOST_CELLS:
            raise ValueError(f"map_size must be at most {_MOST_CELLS}, got {map_size}")
        return size
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features: expected shape (H, W) with sides of at least 1, got {features.shape}")
    height, width = features.shape
    if map_size is not None and _positive_pair("map_size", map_size) != (height, width):
        raise ValueError(f"map_size must be the shape of features, {(height, width)}, got {map_size}; leave it out")
    return height, width


def _positive_pair(name: str, value: Pair) -> tuple[int, int]:
    size = pair(name, value)
    if min(size) < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return size
