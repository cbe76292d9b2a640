"""The two panels of an explanation: the cells that RoI pooling uses, and the samples of RoI Align."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from roialign_rs import _draw as draw
from roialign_rs._axis import Floats, Ints
from roialign_rs._footprint import Footprint
from roialign_rs._rectangles import area, common, rectangle, size, without

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Places = dict[int, float]
"""Position of the values in their cells along one axis, by row or column, where it is not the usual one."""

_MOST_POINTS = 40
"""Maximum number of samples among which values are readable."""
_SMALL = 1 / 6
"""A box that takes a smaller part of the panel is also shown enlarged in a corner."""
_USUAL, _HIGH = 0.8, 0.25


def draw_pooling(panel: Axes, e: Footprint) -> None:
    """Colour the cells that the two roundings of RoI pooling lose and gain."""
    height, width = e.map_size
    box, quantised, region = (rectangle(part) for part in (e.mapped_box, e.quantised_box, e.pooled_region))
    on_map = common(box, (0, 0, width, height))
    # Bins may pass the quantised box and so take back what the first rounding had left out.
    first = [piece for part in without(on_map, quantised) for piece in without(part, region)]
    second = without(common(on_map, quantised), region)
    gain = without(region, box)
    draw.fill(panel, [common(on_map, region)], draw.KEPT)
    draw.fill(panel, first, draw.FIRST_LOSS)
    draw.fill(panel, second, draw.SECOND_LOSS)
    draw.fill(panel, gain, draw.GAIN)
    draw.outline(panel, [quantised], draw.FIRST_LOSS, linewidth=2.2, linestyle=draw.DASHES)
    bins = e.pooled_bins.reshape(-1, 4)
    draw.outline(panel, bins[(bins[:, 0] < bins[:, 2]) & (bins[:, 1] < bins[:, 3])], draw.BIN, linewidth=1.6)
    draw.outline(panel, [box], draw.BOX, linewidth=2.2)
    rows, columns = e.output_size
    second_rounding = f"second rounding, {rows} x {columns} bins"
    if e.features is not None and draw.numbers_fit(panel):
        _write_values(panel, e.features, {}, {}, usual=0.5, bold=_largest(e.features, bins))
        second_rounding += ", bold: largest"
    draw.title(panel, f'RoI pooling rounds twice ("{e.settings.quantization}")')
    draw.legend(
        panel,
        [
            draw.line(draw.BOX, f"exact box, {size(box)} = {e.roi_area:.3f} cells"),
            draw.line(draw.FIRST_LOSS, f"first rounding, {size(quantised)} cells", linestyle=draw.DASHES),
            draw.line(draw.BIN, second_rounding),
            draw.patch(draw.FIRST_LOSS, f"lost by the first: {area(first):.3f} cells"),
            draw.patch(draw.SECOND_LOSS, f"lost by the second: {area(second):.3f} cells"),
            draw.patch(draw.GAIN, f"gained from outside: {area(gain):.3f} cells"),
        ],
    )


def draw_align(panel: Axes, e: Footprint) -> None:
    """Shade each cell by its weight in RoI Align, and connect the first sample with its four cells."""
    from matplotlib.colors import LinearSegmentedColormap

    weight, columns, rows = e._touched.weight, e._touched.x.touched, e._touched.y.touched
    if weight.any():
        shades = LinearSegmentedColormap.from_list("weight", ["white", draw.WEIGHT])
        extent = (columns.start, columns.stop, rows.stop, rows.start)
        shown = {"xlim": panel.get_xlim(), "ylim": panel.get_ylim()}
        panel.imshow(weight, cmap=shades, vmin=0, vmax=weight.max(), extent=extent, zorder=1)
        panel.set(**shown)
    points, weights = e.sample_points.reshape(-1, 2), e.tap_weights.reshape(-1, 4)
    places = _sides(e), _depths(e)
    _draw_bins(panel, e)
    counted = np.flatnonzero(weights.any(axis=1))
    if counted.size:
        first = counted[0]
        _draw_taps(panel, points[first], e.tap_indices.reshape(-1, 4, 2)[first], weights[first], *places)
        _enlarge(panel, e, points[first])
    if e.features is not None and len(points) <= _MOST_POINTS and draw.numbers_fit(panel):
        _write_values(panel, e.features, *places)

    bin_rows, bin_columns, *per_bin = e.sample_points.shape[:4]
    heading = "RoI Align rounds nothing" if e.settings.aligned else "RoI Align, aligned=False: half a cell off"
    draw.title(panel, f'{heading} ("{e.settings.sample_points}")')
    each = f"{per_bin[0]} x {per_bin[1]} points per bin, {len(points)} in all"
    draw.legend(
        panel,
        [
            draw.line(draw.BOX, "exact box, kept as it is"),
            draw.line(draw.BIN, f"{bin_rows} x {bin_columns} bins of {size(rectangle(e.bins[0, 0]))} cells"),
            draw.line(draw.POINT, each, marker="o", linestyle=""),
            draw.line(draw.POINT, "the first point's four neighbours"),
            draw.patch(draw.WEIGHT, "weight of a cell over all points"),
        ],
    )


def _draw_bins(panel: Axes, e: Footprint) -> None:
    """Draw the box, its bins and their samples."""
    draw.outline(panel, e.bins.reshape(-1, 4), draw.BIN, linewidth=1.6)
    draw.outline(panel, [rectangle(e.mapped_box)], draw.BOX, linewidth=2.2)
    points = e.sample_points.reshape(-1, 2)
    panel.plot(*points.T, "o", color=draw.POINT, markersize=_point_size(panel, e), zorder=7)


def _draw_taps(panel: Axes, point: Floats, cells: Ints, weights: Floats, sides: Places, depths: Places) -> None:
    """Connect a sample with the four cell centres that it is interpolated from, and write their weights."""
    # At the border, neighbours may be one and the same cell.
    for column, row in np.unique(cells[weights > 0], axis=0).tolist():
        weight = weights[(cells == (column, row)).all(axis=1)].sum()
        x, y = column + 0.5, row + 0.5
        panel.plot([point[0], x], [point[1], y], "-", color=draw.POINT, linewidth=1.2, zorder=4.5)
        panel.plot(x, y, "s", color="white", markeredgecolor=draw.POINT, markersize=5, zorder=4.6)
        if draw.numbers_fit(panel):
            place = column + sides.get(column, 0.5), row + 1 - depths.get(row, _USUAL)
            draw.write(panel, *place, f"{weight:.3f}", color=draw.POINT, fontweight="bold")


def _enlarge(panel: Axes, e: Footprint, point: Floats) -> None:
    """Draw a small box again, enlarged, in a corner away from the cells of its first sample."""
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    corners = np.stack([e.bins[0, 0, :2], e.bins[-1, -1, 2:]])
    side = np.abs(corners[1] - corners[0]).max()
    if not 0 < side < _SMALL * max(right - left, bottom - top):
        return
    centre, half = corners.mean(axis=0), 0.65 * side
    right_half, lower_half = np.floor(point - 0.5) + 1 < ((left + right) / 2, (top + bottom) / 2)
    lens = panel.inset_axes((0.57 if right_half else 0.01, 0.01 if lower_half else 0.57, 0.42, 0.42), zorder=8)
    lens.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] + half, centre[1] - half), aspect="equal")
    lens.set(xticks=[], yticks=[])
    _draw_bins(lens, e)
    panel.indicate_inset_zoom(lens, edgecolor="#666666")


def _point_size(panel: Axes, e: Footprint) -> float:
    """Return a marker size, in points, for which neighbouring samples do not overlap."""
    width, height = np.abs(e.bins[0, 0, 2:] - e.bins[0, 0, :2])
    ry, rx = e.sample_points.shape[2:4]
    left, right = panel.get_xlim()
    inches_per_cell = panel.bbox.width / panel.figure.dpi / (right - left)
    return float(np.clip(0.4 * 72 * inches_per_cell * min(width / max(rx, 1), height / max(ry, 1)), 1.5, 5.5))


def _largest(features: NDArray[Any], bins: Ints) -> set[tuple[int, int]]:
    """Return row and column of the largest value of each bin."""
    cells = set()
    for x1, y1, x2, y2 in bins.tolist():
        part = features[y1:y2, x1:x2]
        if part.size:
            row, column = np.unravel_index(part.argmax(), part.shape)
            cells.add((y1 + int(row), x1 + int(column)))
    return cells


def _depths(e: Footprint) -> Places:
    """Return the rows whose values are written higher, because samples cover the usual place."""
    y = e.sample_points[e.tap_weights.any(axis=-1), 1]
    rows = np.unique(y[(y % 1 > 0.65) & (y >= 0) & (y < e.map_size[0])].astype(np.int64))
    return dict.fromkeys(rows.tolist(), _HIGH)


def _sides(e: Footprint) -> Places:
    """Return the columns whose numbers stand left or right, because the edge of a bin is in the middle."""
    edges = np.append(e.bins[0, :, 0], e.bins[0, -1, 2])
    middle = edges[np.abs(edges % 1 - 0.5) < 0.3]
    return {int(edge): 0.25 if edge % 1 >= 0.5 else 0.75 for edge in middle.tolist() if edge >= 0}


def _write_values(
    panel: Axes,
    features: NDArray[Any],
    sides: Places,
    depths: Places,
    usual: float = _USUAL,
    bold: Container[tuple[int, int]] = (),
) -> None:
    """Write the value of each visible cell into it."""
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    height, width = features.shape
    for row in range(max(int(top), 0), min(int(bottom), height)):
        for column in range(max(int(left), 0), min(int(right), width)):
            weight = "bold" if (row, column) in bold else "normal"
            place = column + sides.get(column, 0.5), row + depths.get(row, usual)
            draw.write(panel, *place, f"{float(features[row, column]):.2f}", color="#111111", fontweight=weight)
