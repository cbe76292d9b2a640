"""The picture of the gradients: what one bin gives back to the cells of the map, and to the edges of its box."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import roialign_rs as ra
from pictures.photograph import STRIDE, brightness
from pictures.sheet import ALIGN, POOLING, TITLE, Sheet, draw_cells, write
from roialign_rs import _draw as draw

VIEW = (1.5, 2.1, 6.5, 8.25)
"""The cells that are shown."""
BIN = (1, 1)
"""Row and column of the bin."""
BOX = np.array([(36, 52, 84, 116)], float)
"""The star's box, at a place where no line of a bin crosses the middle of a cell."""
SCALE = 1 / STRIDE
RATIO = 2
"""Points of a bin each way: fixed, as an adaptive number would change with the box."""


def one_bin() -> NDArray[np.float64]:
    """Return a gradient for the result that is 1 in one bin, (1, 1, 2, 2)."""
    gradient = np.zeros((1, 1, 2, 2))
    gradient[0, 0][BIN] = 1
    return gradient


def of_pooling() -> NDArray[np.float64]:
    """Return the gradient of roi_pool for the map, (H, W)."""
    _, argmax = ra.roi_pool(brightness(), BOX, 2, spatial_scale=SCALE, return_argmax=True)
    return ra.roi_pool_backward(one_bin(), BOX, brightness().shape, argmax=argmax, spatial_scale=SCALE)[0, 0]


def of_align() -> NDArray[np.float64]:
    """Return the gradient of roi_align for the map, (H, W)."""
    return ra.roi_align_backward(one_bin(), BOX, brightness().shape, spatial_scale=SCALE, sampling_ratio=RATIO)[0, 0]


def of_the_box() -> NDArray[np.float64]:
    """Return the gradient of roi_align for the ends of the box, x1, y1, x2, y2, per cell."""
    return (
        ra.roi_align_box_gradient(one_bin(), brightness(), BOX, spatial_scale=SCALE, sampling_ratio=RATIO)[0] * STRIDE
    )


def draw_gradients() -> Figure:
    """Draw it."""
    e = ra.explain(BOX[0], 2, spatial_scale=SCALE, sampling_ratio=RATIO, features=brightness()[0, 0])
    sheet = Sheet(4.35)
    sheet.write(0.2, 0.3, "The gradient of one bin goes to", fontsize=TITLE, fontweight="bold")
    panels = []
    for i, (name, colour, words) in enumerate(
        (
            ("RoI pooling", POOLING, "one cell"),
            ("RoI Align", ALIGN, f"{np.count_nonzero(of_align())} cells"),
            ("RoI Align", ALIGN, "and the box"),
        )
    ):
        left = 0.2 + i * 2.65
        sheet.write(left, 0.75, name, fontsize=TITLE, fontweight="bold", color=colour)
        sheet.write(left, 1.05, words, fontsize=TITLE)
        panels.append(sheet.map_panel(left, 1.3, 2.3, VIEW))
    draw_cells(panels[0], np.zeros(e.map_size))
    draw_cells(panels[1], np.zeros(e.map_size))
    draw_cells(panels[2], e.features)
    _draw_gradient(panels[0], of_pooling())
    _draw_gradient(panels[1], of_align())
    _draw_arrows(panels[2], e.mapped_box, of_the_box())
    for panel, shown in zip(panels, (e.pooled_bins[BIN], e.bins[BIN], e.bins[BIN]), strict=True):
        draw.outline(panel, [e.mapped_box], draw.BOX, linewidth=3)
        draw.outline(panel, [shown], draw.BIN, linewidth=2, zorder=4.5)
    return sheet.figure


def _draw_gradient(panel: Axes, gradient: NDArray[np.float64]) -> None:
    """Fill each cell by its share of the gradient, and write it in percent."""
    for row, column in np.argwhere(gradient):
        share = gradient[row, column]
        cell = (column, row, column + 1, row + 1)
        draw.fill(panel, [cell], draw.WEIGHT, alpha=0.25 + 0.75 * share / gradient.max())
        write(panel, column + 0.5, row + 0.5, f"{100 * share:.0f}", fontweight="bold", zorder=6)


def _draw_arrows(panel: Axes, box: NDArray[np.float64], gradient: NDArray[np.float64]) -> None:
    """Draw at each edge which way it would have to move to raise the bin, and by how much a cell would raise it."""
    middle = (box[:2] + box[2:]) / 2
    for end, slope in enumerate(gradient):
        axis = end % 2
        start, way, aside = middle.copy(), np.zeros(2), np.zeros(2)
        start[axis] = box[end]
        way[axis] = np.sign(slope)
        aside[1 - axis] = 0.5 if end == 1 else -0.45
        width = 0.03 + 0.012 * abs(slope)
        head = {"head_width": 0.5, "head_length": 0.35, "length_includes_head": True}
        panel.arrow(*start, *way, width=width, color=draw.BOX, linewidth=0, zorder=5, **head)
        write(panel, *(start + 0.45 * way + aside), f"{abs(slope):.0f}", color=draw.BOX, fontweight="bold", zorder=6)
