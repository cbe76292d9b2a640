"""The picture of `roi_align`: bins and points, one point read between four cells, and the means."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import roialign_rs as ra
from pictures.photograph import STAR, STRIDE, brightness
from pictures.sheet import TITLE, Sheet, draw_cells, write
from roialign_rs import Explanation, _draw as draw

VIEW = (1, 2, 7, 9)
"""The cells that are shown."""
SHOWN = (0, 1, 1, 0)
"""Row and column of the bin, and of the point in it, that is explained."""


def draw_roi_align() -> Figure:
    """Draw it."""
    e = ra.explain(STAR, 2, spatial_scale=1 / STRIDE, features=brightness()[0, 0])
    sheet = Sheet(3.5)
    for i, (title, draw_step) in enumerate(
        (("1  Bins and points", _draw_points), ("2  Read one point", _draw_taps), ("3  Mean of each bin", _draw_means))
    ):
        left = 0.2 + i * 2.65
        sheet.write(left, 0.3, title, fontsize=TITLE, fontweight="bold")
        draw_step(sheet.map_panel(left, 0.58, 2.3, VIEW), e)
    return sheet.figure


def _draw_points(panel: Axes, e: Explanation) -> None:
    draw_cells(panel, e.features)
    draw.outline(panel, e.bins.reshape(-1, 4), draw.BIN, linewidth=1.8)
    draw.outline(panel, [e.mapped_box], draw.BOX, linewidth=2.6)
    panel.plot(*e.sample_points.reshape(-1, 2).T, "o", color=draw.POINT, markersize=5)
    panel.plot(*e.sample_points[SHOWN], "o", color="none", markeredgecolor=draw.POINT, markeredgewidth=2, markersize=12)


def _draw_taps(panel: Axes, e: Explanation) -> None:
    """Show the four cells around the point, with their values and weights."""
    cells, weights, (x, y) = e.tap_indices[SHOWN], e.tap_weights[SHOWN], e.sample_points[SHOWN]
    left, top = cells.min(axis=0)
    panel.set(xlim=(left - 0.1, left + 2.1), ylim=(top + 2.283, top - 0.283))
    draw_cells(panel, e.features)
    for (column, row), weight in zip(cells, weights, strict=True):
        panel.plot([x, column + 0.5], [y, row + 0.5], color=draw.POINT, linewidth=1 + 6 * weight, solid_capstyle="butt")
        panel.plot(column + 0.5, row + 0.5, "s", color="white", markeredgecolor=draw.POINT, markersize=7)
        up = -1 if row == top else 1
        write(panel, column + 0.5, row + 0.5 + up * 0.21, f"{e.features[row, column]:.0f}", fontweight="bold")
        write(panel, column + 0.5, row + 0.5 + up * 0.39, f"x {weight:.2f}", color=draw.POINT)
    panel.plot(x, y, "o", color=draw.POINT, markersize=11)
    write(panel, x + 0.43, y + 0.07, f"= {e.values[SHOWN]:.0f}", fontweight="bold", color=draw.POINT)


def _draw_means(panel: Axes, e: Explanation) -> None:
    """Show the values of all points, and the mean of each bin."""
    panel.set(xlim=(0, 2), ylim=(2, 0))
    draw_cells(panel, e.aligned_values)
    draw.outline(panel, [(0, 0, 1, 1), (1, 0, 2, 1), (0, 1, 1, 2), (1, 1, 2, 2)], draw.BIN, linewidth=1.8)
    for row, column in np.ndindex(e.aligned_values.shape):
        for (i, j), value in np.ndenumerate(e.values[row, column]):
            place = column + (0.24, 0.76)[j], row + (0.2, 0.8)[i]
            weight = "bold" if (row, column, i, j) == SHOWN else "normal"
            write(panel, *place, f"{value:.0f}", color=draw.POINT, fontweight=weight)
        write(panel, column + 0.5, row + 0.5, f"{e.aligned_values[row, column]:.1f}", fontsize=TITLE, fontweight="bold")
