"""The summary of an explanation in words, for a terminal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from roialign_rs._axis import Cells, Ints
from roialign_rs._footprint import Footprint
from roialign_rs._rectangles import size

_MOST_CELLS = 40
"""Maximum side, in cells, of a box that is drawn with one character per cell."""


def report(e: Footprint) -> str:
    """Return the summary. See `Explanation.__str__`."""
    x1, y1, x2, y2 = e.box
    rows, columns, ry, rx = e.sample_points.shape[:4]
    share = f" ({e.loss_area / e.roi_area:.1%} of the box)" if e.roi_area else ""
    lines = [
        f"box ({x1:g}, {y1:g})-({x2:g}, {y2:g}), scale {e.settings.spatial_scale:g}, "
        f"map {e.map_size[0]} x {e.map_size[1]}, output {rows} x {columns}",
        f"  exact box        {_region(e.mapped_box)}  {size(e.mapped_box)} = {e.roi_area:.3f} cells",
        *_outside(e),
        "",
        f'RoI pooling rounds twice ("{e.settings.quantization}")',
        f"  first rounding   {_region(e.quantised_box)}  {size(e.quantised_box)} cells",
        f"                   loses {e.first_loss_area:.3f}, gains {e.first_gain_area:.3f}",
        f"  second rounding  {_region(e.pooled_region)}  bins of {_bin_sizes(e.pooled_bins)} cells",
        f"                   loses {e.second_loss_area:.3f} more",
        f"  together         loses {e.loss_area:.3f}{share}, gains {e.gain_area:.3f}",
        "",
        f'RoI Align rounds nothing (aligned={e.settings.aligned}, "{e.settings.sample_points}")',
        f"  bins             {size(e.bins[0, 0])} cells, {ry} x {rx} points in each",
    ]
    if e.sample_points.size:
        x, y = e.sample_points[0, 0, 0, 0]
        taps = zip(e.tap_indices[0, 0, 0, 0], e.tap_weights[0, 0, 0, 0], strict=True)
        parts = [f"{'':19}({column}, {row}) times {weight:.3f}" for (column, row), weight in taps if weight > 0]
        source = "interpolated from the cells" if parts else "too far off the map, counts as 0"
        lines += [f"  first point      ({x:.3f}, {y:.3f}), {source}", *parts]
    return "\n".join([*lines, _cells_of_the_box(e._touched), *_drawing(e), *_results(e)])


def _outside(e: Footprint) -> list[str]:
    """Return a line on the part of the box that is off the map, if there is one."""
    if e.is_outside:
        return ["  outside the map  the whole box"]
    if e.off_map_area:
        return [f"  outside the map  {e.off_map_area:.3f} cells ({e.off_map_area / e.roi_area:.1%} of the box)"]
    return []


def _cells_of_the_box(cells: Cells) -> str:
    """Return a line on the cells of the box that have no sample or no weight in RoI Align."""
    x, y = cells.x, cells.y
    all_cells = np.diff(x.box).item() * np.diff(y.box).item()
    without_point = all_cells - x.in_box(x.point_cells) * y.in_box(y.point_cells)
    without_weight = all_cells - x.in_box(x.tap_cells) * y.in_box(y.tap_cells)
    return f"  cells of the box {all_cells}, of which {without_point} hold no point and {without_weight} have no weight"


def _drawing(e: Footprint) -> list[str]:
    """Draw both operators side by side, one character per cell."""
    columns, rows = (range(axis.touched.start, axis.touched.stop) for axis in (e._touched.x, e._touched.y))
    if not 0 < max(len(rows), len(columns)) <= _MOST_CELLS or min(len(rows), len(columns)) == 0:
        return []
    box, pooled = e._touched.box, e._touched.pooled
    pooling = np.full(box.shape, ".")
    pooling[box > 0] = "2"
    pooling[(box > 0) & ~e._touched.quantised] = "1"
    pooling[pooled] = "#"
    pooling[pooled & (box == 0)] = "+"
    align = np.where(e._touched.weight > 0, "~", ".")
    align[e._touched.samples > 0] = "o"

    heading = "".join(f"{column % 100:3d}" for column in columns)
    lines = ["", f"     {heading}       {heading}"]
    for row, *marks in zip(rows, pooling, align, strict=True):
        lines.append("  ".join(f"{row:5d}" + "".join(f"{mark:>3}" for mark in cells) for cells in marks))
    lines += [
        "",
        "  RoI pooling: # used  1 lost by the first rounding  2 lost by the second  + gained from outside the box",
        "  RoI Align:   o points inside  ~ weight through a neighbouring point",
    ]
    return lines


def _results(e: Footprint) -> list[str]:
    """Return tables of the results of both operators, if there are features."""
    if e.features is None:
        return []
    tables = {
        "RoI pooling, the largest of each bin": e.pooled_values,
        "RoI Align, the mean of each bin": e.aligned_values,
    }
    lines: list[str] = []
    for title, table in tables.items():
        lines += ["", title, *("  " + " ".join(f"{value:.3f}" for value in row) for row in table.astype(float))]
    return lines


def _region(rectangle: NDArray[Any]) -> str:
    x1, y1, x2, y2 = rectangle.tolist()
    return f"x [{x1:.7g}, {x2:.7g})  y [{y1:.7g}, {y2:.7g})"


def _bin_sizes(bins: Ints) -> str:
    sizes = (bins[..., 2:] - bins[..., :2]).reshape(-1, 2)
    return " x ".join(
        f"{low}" if low == high else f"{low} to {high}" for low, high in zip(sizes.min(0), sizes.max(0), strict=True)
    )
