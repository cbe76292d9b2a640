"""The picture of the README: a box moves pixel by pixel; RoI pooling stands still and jumps, RoI Align follows."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import roialign_rs as ra
from pictures.photograph import STAR, STRIDE, brightness, photograph, show_photograph
from pictures.sheet import ALIGN, MUTED, NIGHT, POOLING, TEXT, TITLE, Sheet
from roialign_rs import _draw as draw

Values = NDArray[np.float64]

BINS = 7
BEFORE = 31
"""The box sets out so many pixels left of the star, and goes on as far beyond it."""
WAY = np.arange(64)
STOPS = (16, 31, 32, 47)
"""How far the box has moved where its results are shown. RoI pooling jumps between the second and the third."""

TILE, GAP = 1.0, 0.3
BAND = "#fde4e1"
PAD = 0.1
ROW = 4 * TILE + 3 * GAP
LEFT, RIGHT = 0.2, 2.88
PART = (0, 32, 112, 136)
"""The part of the photograph that is enlarged."""


def along_the_way() -> tuple[Values, Values]:
    """Pool the box at every pixel of its way with both operators, (64, 7, 7) each."""
    x1, y1, x2, y2 = STAR
    boxes = np.array([(x1 + d, y1, x2 + d, y2) for d in WAY - BEFORE], float)
    pooled = ra.roi_pool(brightness(), boxes, BINS, spatial_scale=1 / STRIDE)
    aligned = ra.roi_align(brightness(), boxes, BINS, spatial_scale=1 / STRIDE)
    return pooled[:, 0], aligned[:, 0]


def shown_bin(pooled: Values) -> tuple[int, int]:
    """Return row and column of the bin in which RoI pooling jumps most between the two middle stops."""
    jump = np.abs(pooled[STOPS[2]] - pooled[STOPS[1]])
    row, column = np.unravel_index(jump.argmax(), jump.shape)
    return int(row), int(column)


def draw_why() -> Figure:
    """Draw it."""
    pooled, aligned = along_the_way()
    bin_shown = shown_bin(pooled)
    sheet = Sheet(5.6)
    _draw_photograph(sheet)
    sheet.write(RIGHT, 0.34, "Move the box to the right", fontsize=TITLE)
    _draw_way(sheet, 0.7)
    for top, name, rest, colour, results in (
        (1.08, "RoI pooling", "rounds the box to cells", POOLING, pooled),
        (2.61, "RoI Align", "reads between cells", ALIGN, aligned),
    ):
        sheet.title(RIGHT, top, name, colour, rest)
        _draw_band(sheet, top + 0.22 - PAD, TILE + 2 * PAD)
        for i, stop in enumerate(STOPS):
            tile = sheet.panel(RIGHT + i * (TILE + GAP), top + 0.22, TILE, TILE)
            _draw_tile(tile, results[stop], bin_shown)
    sheet.write(RIGHT, 4.14, "The outlined bin, pixel by pixel", fontsize=TITLE)
    _draw_strip(sheet.panel(RIGHT, 4.36, ROW, 0.9), pooled, aligned, bin_shown)
    return sheet.figure


def _draw_photograph(sheet: Sheet) -> None:
    """Draw the whole photograph, and the part around the star enlarged, with the cells and the box."""
    height, width = photograph().pixels.shape[:2]
    whole = sheet.map_panel(LEFT, 0.2, 2.3, (0, 0, width, height))
    part = sheet.map_panel(LEFT, 3.124, 2.3, PART)
    for panel in whole, part:
        show_photograph(panel)
    draw.outline(whole, [PART], "white", linewidth=2)
    left, top, right, bottom = PART
    lines = {"color": "white", "linewidth": 0.8, "alpha": 0.55}
    part.vlines(np.arange(0, right + 1, STRIDE), top, bottom, **lines)
    part.hlines(np.arange(0, bottom + 1, STRIDE), left, right, **lines)
    for colour, width in (("white", 5.5), (draw.BOX, 2.8)):
        draw.outline(part, [STAR], colour, linewidth=width)
    part.arrow(
        STAR[2],
        (STAR[1] + STAR[3]) / 2,
        18,
        0,
        width=1.6,
        head_width=7,
        head_length=6,
        color=draw.BOX,
        ec="white",
        zorder=5,
    )


def _draw_band(sheet: Sheet, top: float, height: float) -> None:
    """Put a ground under the two stops that are one pixel apart."""
    sheet.panel(RIGHT + TILE + GAP - PAD, top, 2 * (TILE + PAD) + GAP, height).set_facecolor(BAND)


def _draw_way(sheet: Sheet, top: float) -> None:
    """Draw the four places of the box as squares on a line, with the pixels between them."""
    line = sheet.panel(RIGHT, top - 0.15, ROW, 0.3)
    line.patch.set_visible(False)
    line.set(xlim=(0, ROW), ylim=(-1, 1))
    places = [i * (TILE + GAP) + TILE / 2 for i in range(4)]
    draw.fill(line, [(places[1] - 0.2, -1, places[2] + 0.2, 1)], BAND)
    line.plot(places, [0] * 4, color=draw.BOX, linewidth=1.5, marker="s", markersize=8)
    for start, end, before, after in zip(places, places[1:], STOPS, STOPS[1:], strict=False):
        ground = {"facecolor": BAND if after - before == 1 else "white", "edgecolor": "none", "pad": 2}
        options = {"fontsize": TEXT, "color": draw.BOX, "fontweight": "bold" if after - before == 1 else "normal"}
        line.text((start + end) / 2, 0, f"{after - before} px", ha="center", va="center", bbox=ground, **options)


def _draw_tile(panel: Axes, result: Values, bin_shown: tuple[int, int]) -> None:
    panel.imshow(result, cmap=NIGHT, vmin=0, vmax=90, aspect="auto", extent=(0, BINS, BINS, 0))
    row, column = bin_shown
    draw.outline(panel, [(column, row, column + 1, row + 1)], draw.BIN, linewidth=3.5)
    draw.outline(panel, [(column, row, column + 1, row + 1)], "white", linewidth=2)


def _draw_strip(panel: Axes, pooled: Values, aligned: Values, bin_shown: tuple[int, int]) -> None:
    """Draw the value of one bin against the way of the box: a staircase and a curve."""
    row, column = bin_shown
    for results, colour, steps in ((pooled, POOLING, "steps-mid"), (aligned, ALIGN, "default")):
        values = results[:, row, column]
        panel.plot(WAY, values, color=colour, linewidth=2.5, drawstyle=steps, clip_on=False)
        panel.plot(STOPS, values[list(STOPS)], "o", color=colour, markersize=6.5, clip_on=False)
    panel.spines["bottom"].set(visible=True, color=MUTED)
    panel.set(xlim=(-1, 64), ylim=(0, 100))
    panel.set_xticks([0, 16, 32, 48], ["0", "16", "32", "48 px"])
    panel.tick_params(labelsize=TEXT, labelcolor=MUTED, color=MUTED)
    panel.text(1, 66, "RoI pooling", color=POOLING, fontsize=TEXT, fontweight="bold", va="bottom")
    panel.text(38, 70, "RoI Align", color=ALIGN, fontsize=TEXT, fontweight="bold", va="bottom")
