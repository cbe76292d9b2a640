"""The picture of an explanation: RoI pooling on the left, RoI Align on the right, over the same cells."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from roialign_rs._explanation import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from roialign_rs._explanation import Explanation

Rectangle = tuple[float, float, float, float]

FIRST_LOSS = "#1d4f9c"
SECOND_LOSS = "#86c5f4"
GAIN = "#45b058"
BOX = "#d62728"
BIN = "#222222"
WEIGHT = "#f8a72f"
POINT = "#5b21b6"
KEPT = "#fdf3d0"
DASHES = (0, (4, 2))

ABOVE, BELOW = 0.5, 1.3
"""Inches for the title and for the legend."""
MOST_VALUES = 18
"""Up to so many cells across, a value can be read in each."""
MOST_CELLS = 100
"""Up to so many cells across, lines between them leave the colours to be seen."""
MOST_POINTS = 144
"""Up to so many points, values can be read among them."""


def plot_explanation(e: Explanation, ax: Axes | Sequence[Axes] | None, values: ArrayLike | None) -> Figure:
    """Draw both panels; see `Explanation.plot`."""
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ImportError:
        raise ImportError("drawing needs matplotlib: pip install 'roialign_rs[plot]'") from None

    plane = None if values is None else np.asarray(values, dtype=np.float64)
    if plane is not None and plane.shape != e.map_size:
        raise ValueError(f"values: expected shape {e.map_size}, got {plane.shape}")
    left, top, right, bottom = window = _window(e)
    if ax is None:
        height = 6.2 * np.clip((bottom - top) / (right - left), 0.3, 1.6) + ABOVE + BELOW
        margins = {"left": 0.03, "right": 0.99, "top": 1 - ABOVE / height, "bottom": BELOW / height, "wspace": 0.07}
        _, (pooling, align) = plt.subplots(1, 2, figsize=(13.0, height), gridspec_kw=margins)
    elif isinstance(ax, Axes):
        ax.set_axis_off()
        pooling, align = ax.inset_axes((0.0, 0.0, 0.47, 1.0)), ax.inset_axes((0.53, 0.0, 0.47, 1.0))
    else:
        pooling, align = ax
    for panel in (pooling, align):
        _draw_map(panel, e, window)
    _draw_pooling(pooling, e, plane)
    _draw_align(align, e, plane)
    return cast("Figure", pooling.figure)


def _window(e: Explanation) -> Rectangle:
    """Return the part of the plane to show: the box with all it touches, and at most two cells off the map."""
    touched = np.stack([e.mapped_box, e.quantised_box, e.pooled_region, e.bins[0, 0], e.bins[-1, -1]])
    bounds = []
    for axis, extent in ((0, e.map_size[1]), (1, e.map_size[0])):
        ends = touched[:, [axis, axis + 2]]
        beyond = 0.0 if ends.min() >= 0 and ends.max() <= extent else 2.0
        margin = max(1.0, (ends.max() - ends.min()) // 32)
        low, high = np.floor(ends.min()) - margin, np.ceil(ends.max()) + margin
        low, high = np.clip([low, high], -beyond, extent + beyond)
        missed = ends[0].max() <= 0 or ends[0].min() >= extent
        bounds.append((-beyond, extent + beyond) if missed else (low, high))
    (left, right), (top, bottom) = bounds
    return left, top, right, bottom


def _draw_map(panel: Axes, e: Explanation, window: Rectangle) -> None:
    """Draw the empty cells, with y down and every cell square."""
    from matplotlib.ticker import MaxNLocator

    left, top, right, bottom = window
    height, width = e.map_size
    panel.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", facecolor="#dddddd")
    _fill(panel, [(0, 0, width, height)], "white", zorder=0)
    ticks = MaxNLocator(16, integer=True)
    for axis, low, high, extent in ((panel.xaxis, left, right, width), (panel.yaxis, top, bottom, height)):
        places = np.asarray(ticks.tick_values(low, high))
        axis.set_ticks(places[(places >= max(low, 0)) & (places <= min(high, extent))])
    panel.tick_params(length=0, labelsize=9, labelcolor="#666666")
    if max(right - left, bottom - top) <= MOST_CELLS:
        panel.vlines(np.arange(width + 1), 0, height, color="#c8c8c8", linewidth=0.6, zorder=1.5)
        panel.hlines(np.arange(height + 1), 0, width, color="#c8c8c8", linewidth=0.6, zorder=1.5)
    panel.spines[:].set_visible(False)


def _draw_pooling(panel: Axes, e: Explanation, values: Floats | None) -> None:
    """Colour what the two roundings lose and gain."""
    height, width = e.map_size
    box, quantised, region = (_tuple(part) for part in (e.mapped_box, e.quantised_box, e.pooled_region))
    on_map = _common(box, (0, 0, width, height))
    # Bins may pass the quantised box and so take back what the first rounding had left out.
    first = [piece for part in _without(on_map, quantised) for piece in _without(part, region)]
    second = list(_without(_common(on_map, quantised), region))
    gain = list(_without(region, box))
    _fill(panel, [_common(on_map, region)], KEPT)
    _fill(panel, first, FIRST_LOSS)
    _fill(panel, second, SECOND_LOSS)
    _fill(panel, gain, GAIN)
    _outline(panel, [quantised], FIRST_LOSS, linewidth=2.2, linestyle=DASHES)
    _outline(panel, e.pooled_bins.reshape(-1, 4), BIN, linewidth=1.6)
    _outline(panel, [box], BOX, linewidth=2.2)
    rows, columns = e.output_size
    second_rounding = f"second rounding, {rows} x {columns} bins"
    if values is not None and _write_values(panel, values, 0.5, bold=_largest(values, e.pooled_bins.reshape(-1, 4))):
        second_rounding += ", bold: largest"
    panel.set_title(f'RoI pooling rounds twice ("{e.quantization}")', fontsize=13, fontweight="bold")
    _legend(
        panel,
        [
            _line(BOX, f"exact box, {_size(box)} = {e.roi_area:.3f} cells"),
            _line(FIRST_LOSS, f"first rounding, {_size(quantised)} cells", linestyle=DASHES),
            _line(BIN, second_rounding),
            _patch(FIRST_LOSS, f"lost by the first: {_area(first):.3f} cells"),
            _patch(SECOND_LOSS, f"lost by the second: {_area(second):.3f} cells"),
            _patch(GAIN, f"gained from outside: {_area(gain):.3f} cells"),
        ],
    )


def _draw_align(panel: Axes, e: Explanation, values: Floats | None) -> None:
    """Shade every cell by its weight, and show where the first point gets its value from."""
    from matplotlib.colors import LinearSegmentedColormap

    height, width = e.map_size
    shades = LinearSegmentedColormap.from_list("weight", ["white", WEIGHT])
    most = e.aligned_weight.max() or 1.0
    panel.imshow(e.aligned_weight, cmap=shades, vmin=0, vmax=most, extent=(0, width, height, 0), zorder=1)
    _outline(panel, e.bins.reshape(-1, 4), BIN, linewidth=1.6)
    _outline(panel, [_tuple(e.mapped_box)], BOX, linewidth=2.2)
    points, weights = e.sample_points.reshape(-1, 2), e.tap_weights.reshape(-1, 4)
    panel.plot(*points.T, "o", color=POINT, markersize=_point_size(panel, e), zorder=7)
    depths = _depths(e)
    counted = np.flatnonzero(weights.any(axis=1))
    if counted.size:
        first = counted[0]
        _draw_taps(panel, points[first], e.tap_indices.reshape(-1, 4, 2)[first], weights[first], depths)
    if values is not None and len(points) <= MOST_POINTS:
        _write_values(panel, values, depths)

    rows, columns, *per_bin = e.sample_points.shape[:4]
    bin_box = _tuple(e.bins[0, 0])
    title = "RoI Align rounds nothing" if e.aligned else "RoI Align, aligned=False: half a cell off"
    panel.set_title(f'{title} ("{e.placement}")', fontsize=13, fontweight="bold")
    _legend(
        panel,
        [
            _line(BOX, "exact box, kept as it is"),
            _line(BIN, f"{rows} x {columns} bins of {_size(bin_box)} cells"),
            _line(POINT, f"{per_bin[0]} x {per_bin[1]} points per bin, {len(points)} in all", marker="o", linestyle=""),
            _line(POINT, "the first point's four neighbours"),
            _patch(WEIGHT, "weight of a cell over all points"),
        ],
    )


def _draw_taps(panel: Axes, point: Floats, cells: Ints, weights: Floats, depths: Floats) -> None:
    """Tie a point to the four cell centres that it is interpolated from; weights stand where values do not."""
    # At the border, neighbours may be one and the same cell.
    for column, row in np.unique(cells[weights > 0], axis=0):
        weight = weights[(cells == (column, row)).all(axis=1)].sum()
        x, y = column + 0.5, row + 0.5
        panel.plot([point[0], x], [point[1], y], "-", color=POINT, linewidth=1.2, zorder=4.5)
        panel.plot(x, y, "s", color="white", markeredgecolor=POINT, markersize=5, zorder=4.6)
        if _readable(panel):
            _write(panel, x, row + 1 - depths[row, 0], f"{weight:.3f}", color=POINT, fontweight="bold")


def _point_size(panel: Axes, e: Explanation) -> float:
    """Return a marker size, in points, at which neighbouring samples stay apart."""
    width, height = np.abs(e.bins[0, 0, 2:] - e.bins[0, 0, :2])
    ry, rx = e.sample_points.shape[2:4]
    left, right = panel.get_xlim()
    inches_per_cell = panel.bbox.width / panel.figure.dpi / (right - left)
    return float(np.clip(0.4 * 72 * inches_per_cell * min(width / max(rx, 1), height / max(ry, 1)), 1.5, 5.5))


def _readable(panel: Axes) -> bool:
    """Whether numbers fit into the cells."""
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    return max(right - left, bottom - top) <= MOST_VALUES


def _largest(values: Floats, bins: Ints) -> set[tuple[int, int]]:
    """Return row and column of the largest value of every bin."""
    cells = set()
    for x1, y1, x2, y2 in bins:
        part = values[y1:y2, x1:x2]
        if part.size:
            row, column = np.unravel_index(part.argmax(), part.shape)
            cells.add((int(y1 + row), int(x1 + column)))
    return cells


def _depths(e: Explanation) -> Floats:
    """Return how far down in its cell each value goes: low, or high in rows where points are in the way, (H, 1)."""
    depths = np.full((e.map_size[0], 1), 0.8)
    y = e.sample_points[e.tap_weights.any(axis=-1), 1]
    depths[np.clip(y[y % 1 > 0.65].astype(int), 0, len(depths) - 1)] = 0.25
    return depths


def _write_values(panel: Axes, values: Floats, depth: ArrayLike, bold: Container[tuple[int, ...]] = ()) -> bool:
    """Write the value of every visible cell into it if it can be read there; return whether it can."""
    if not _readable(panel):
        return False
    depths = np.broadcast_to(depth, values.shape)
    for cell, value in np.ndenumerate(values):
        weight = "bold" if cell in bold else "normal"
        _write(panel, cell[1] + 0.5, cell[0] + depths[cell], f"{value:.2f}", color="#111111", fontweight=weight)
    return True


def _write(panel: Axes, x: float, y: float, text: str, **style: Any) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    panel.text(x, y, text, ha="center", va="center", fontsize=8.5, path_effects=halo, clip_on=True, zorder=6, **style)


def _fill(panel: Axes, rectangles: Iterable[Rectangle], colour: str, **style: Any) -> None:
    _add(panel, rectangles, facecolor=colour, **({"zorder": 1} | style))


def _outline(panel: Axes, rectangles: Iterable[Any], colour: str, **style: Any) -> None:
    _add(panel, rectangles, fill=False, edgecolor=colour, zorder=4, **style)


def _add(panel: Axes, rectangles: Iterable[Any], **style: Any) -> None:
    from matplotlib.patches import Rectangle as Patch

    for x1, y1, x2, y2 in rectangles:
        panel.add_patch(Patch((x1, y1), x2 - x1, y2 - y1, **style))


def _line(colour: str, label: str, **style: Any) -> Artist:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linewidth=1.8, label=label, **style)


def _patch(colour: str, label: str) -> Artist:
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, label=label)


def _legend(panel: Axes, handles: Sequence[Artist]) -> None:
    legend = panel.legend(handles=list(handles), loc="upper center", ncols=2, frameon=False, fontsize=10)
    legend.set_bbox_to_anchor((0.5, 0.0), transform=panel.transAxes)
    legend.borderaxespad = 2.0


def _tuple(rectangle: Any) -> Rectangle:
    x1, y1, x2, y2 = (float(end) for end in rectangle)
    return x1, y1, x2, y2


def _common(a: Rectangle, b: Rectangle) -> Rectangle:
    x1, y1 = max(a[0], b[0]), max(a[1], b[1])
    return x1, y1, max(x1, min(a[2], b[2])), max(y1, min(a[3], b[3]))


def _without(whole: Rectangle, hole: Rectangle) -> Iterable[Rectangle]:
    """Cut a rectangle out of another: up to four rectangles."""
    x1, y1, x2, y2 = whole
    hole = _common(whole, hole)
    if _area([hole]) == 0.0:
        return [whole] if _area([whole]) else []
    left, top, right, bottom = hole
    pieces = [(x1, y1, x2, top), (x1, bottom, x2, y2), (x1, top, left, bottom), (right, top, x2, bottom)]
    return [piece for piece in pieces if _area([piece]) > 0.0]


def _area(rectangles: Iterable[Rectangle]) -> float:
    return sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in rectangles)


def _size(rectangle: Rectangle) -> str:
    x1, y1, x2, y2 = rectangle
    return f"{x2 - x1:.4g} x {y2 - y1:.4g}"
