"""An explanation in words, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from roialign_rs._explanation import Explanation, Ints

_MOST_CELLS = 40
"""Boxes up to so many cells across are drawn, one character per cell."""


def report(e: Explanation) -> str:
    """Tell what happens to the box step by step; see `Explanation.__str__`."""
    x1, y1, x2, y2 = e.box
    rows, columns, ry, rx = e.sample_points.shape[:4]
    share = f" ({e.loss_area / e.roi_area:.1%} of the box)" if e.roi_area else ""
    in_box = e.box_cells > 0
    without_point, without_weight = (np.count_nonzero(in_box & (p == 0)) for p in (e.sample_cells, e.aligned_weight))
    lines = [
        f"box ({x1:g}, {y1:g})-({x2:g}, {y2:g}), scale {e.spatial_scale:g}, map {e.map_size[0]} x {e.map_size[1]}, "
        f"output {rows} x {columns}",
        f"  exact box        {_region(e.mapped_box)}  {_size(e.mapped_box)} = {e.roi_area:.3f} cells",
        "",
        f'RoI pooling rounds twice ("{e.quantization}")',
        f"  first rounding   {_region(e.quantised_box)}  {_size(e.quantised_box)} cells",
        f"                   loses {e.first_loss_area:.3f}, gains {e.first_gain_area:.3f}",
        f"  second rounding  {_region(e.pooled_region)}  bins of {_bin_sizes(e.pooled_bins)} cells",
        f"                   loses {e.second_loss_area:.3f} more",
        f"  together         loses {e.loss_area:.3f}{share}, gains {e.gain_area:.3f}",
        "",
        f'RoI Align rounds nothing (aligned={e.aligned}, "{e.placement}")',
        f"  bins             {_size(e.bins[0, 0])} cells, {ry} x {rx} points in each",
    ]
    if e.sample_points.size:
        x, y = e.sample_points[0, 0, 0, 0]
        taps = zip(e.tap_indices[0, 0, 0, 0], e.tap_weights[0, 0, 0, 0], strict=True)
        parts = [f"{'':19}({column}, {row}) times {weight:.3f}" for (column, row), weight in taps if weight > 0]
        source = "interpolated from the cells" if parts else "too far off the map, counts as 0"
        lines += [f"  first point      ({x:.3f}, {y:.3f}), {source}", *parts]
    lines += [
        f"  cells of the box {np.count_nonzero(in_box)}, of which {without_point} hold no point "
        f"and {without_weight} have no weight",
        *_drawing(e),
    ]
    return "\n".join(lines)


def _drawing(e: Explanation) -> list[str]:
    """Both operators side by side, one character per cell."""
    pooling = np.full(e.map_size, ".")
    pooling[e.box_cells > 0] = "2"
    pooling[(e.box_cells > 0) & ~e.quantised_cells] = "1"
    pooling[e.pooled_cells] = "#"
    pooling[e.pooled_cells & (e.box_cells == 0)] = "+"
    align = np.where(e.aligned_weight > 0, "~", ".")
    align[e.sample_cells > 0] = "o"

    rows, columns = (_span((pooling != ".").any(axis) | (align != ".").any(axis)) for axis in (1, 0))
    if not 0 < max(len(rows), len(columns)) <= _MOST_CELLS or min(len(rows), len(columns)) == 0:
        return []
    heading = "".join(f"{column % 100:3d}" for column in columns)
    lines = ["", f"     {heading}       {heading}"]
    for row in rows:
        marks = (plane[row, columns[0] : columns[-1] + 1] for plane in (pooling, align))
        lines.append("  ".join(f"{row:5d}" + "".join(f"{mark:>3}" for mark in cells) for cells in marks))
    lines += [
        "",
        "  RoI pooling: # used  1 lost by the first rounding  2 lost by the second  + gained from outside the box",
        "  RoI Align:   o points inside  ~ weight through a neighbouring point",
    ]
    return lines


def _span(marked: NDArray[np.bool_]) -> range:
    at = np.flatnonzero(marked)
    return range(at[0], at[-1] + 1) if at.size else range(0)


def _region(rectangle: NDArray[Any]) -> str:
    x1, y1, x2, y2 = rectangle.tolist()
    return f"x [{x1:.7g}, {x2:.7g})  y [{y1:.7g}, {y2:.7g})"


def _size(rectangle: NDArray[Any]) -> str:
    x1, y1, x2, y2 = rectangle.tolist()
    return f"{x2 - x1:.4g} x {y2 - y1:.4g}"


def _bin_sizes(bins: Ints) -> str:
    sizes = (bins[..., 2:] - bins[..., :2]).reshape(-1, 2)
    return " x ".join(
        f"{low}" if low == high else f"{low} to {high}" for low, high in zip(sizes.min(0), sizes.max(0), strict=True)
    )
