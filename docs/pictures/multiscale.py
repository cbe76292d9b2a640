"""The picture of `multiscale_roi_align`: boxes of a photograph, the map that each is read from, and the results."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import roialign_rs as ra
from pictures.photograph import colours, photograph, show_photograph
from pictures.sheet import MUTED, TITLE, Sheet
from roialign_rs import _draw as draw

STRIDES = (4, 8, 16, 32)
COLOURS = ("#e69f00", "#56b4e9", "#00a676", "#cc79a7")
"""One for each map; apart for colour-blind readers."""
BOXES = np.array(
    [(45, 58, 89, 118), (198, 27, 340, 105), (152, 128, 377, 335), (95, 15, 440, 440), (2, 2, 510, 598)], float
)
BINS = 14

LEFT, TOP = 0.2, 0.55


def stages() -> list[int]:
    """Return the number of the map of each box, 0 for the finest."""
    return ra.assign_stages(BOXES, len(STRIDES), min_level=2).tolist()


def results() -> NDArray[np.float64]:
    """Pool every box from its map, (5, 14, 14, 3)."""
    maps = [colours(stride) for stride in STRIDES]
    pooled = ra.multiscale_roi_align(maps, BOXES, BINS, spatial_scales=[1 / stride for stride in STRIDES])
    return pooled.transpose(0, 2, 3, 1)


def draw_multiscale() -> Figure:
    """Draw it."""
    sheet = Sheet(5.75, pixels_per_inch=150)
    height, width = photograph().pixels.shape[:2]
    whole = (0, 0, width, height)
    sheet.write(LEFT, 0.28, "Boxes of all sizes", fontsize=TITLE, fontweight="bold")
    panel = sheet.map_panel(LEFT, TOP, 3.0, whole)
    show_photograph(panel)
    _draw_boxes(panel, range(len(BOXES)))

    sheet.write(3.55, 0.28, "Each from the map that fits", fontsize=TITLE, fontweight="bold")
    for stage, stride in enumerate(STRIDES):
        left, top = 3.55 + 2.2 * (stage % 2), TOP + 1.83 * (stage // 2)
        panel = sheet.map_panel(left, top, 1.44, whole)
        cells = np.moveaxis(colours(stride)[0], 0, -1)
        panel.imshow(cells, extent=(0, stride * cells.shape[1], stride * cells.shape[0], 0), aspect="auto")
        panel.set(xlim=(0, width), ylim=(height, 0))
        _draw_boxes(panel, [i for i, chosen in enumerate(stages()) if chosen == stage])
        sheet.write(left + 1.5, top + 0.1, "stride", color=MUTED)
        sheet.write(left + 1.5, top + 0.38, str(stride), fontsize=20, fontweight="bold", color=COLOURS[stage])

    sheet.write(LEFT, 4.36, f"All results have one size, {BINS} x {BINS}", fontsize=TITLE, fontweight="bold")
    for i, (result, stage) in enumerate(zip(results(), stages(), strict=True)):
        tile = sheet.panel(LEFT + 0.03 + i * 1.6, 4.6, 1.0, 1.0)
        tile.imshow(result, aspect="auto")
        tile.spines[:].set(visible=True, color=COLOURS[stage], linewidth=4)
    return sheet.figure


def _draw_boxes(panel: Axes, numbers: range | list[int]) -> None:
    for i in numbers:
        draw.outline(panel, [BOXES[i]], "white", linewidth=4.5)
        draw.outline(panel, [BOXES[i]], COLOURS[stages()[i]], linewidth=3)
