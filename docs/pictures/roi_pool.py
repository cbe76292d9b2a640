"""The pictures of `roi_pool`: both roundings and the maxima, and what each rule loses and gains."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import roialign_rs as ra
from pictures.photograph import STAR, STRIDE, brightness
from pictures.sheet import MUTED, TITLE, Sheet, draw_cells, write
from roialign_rs import Explanation, _draw as draw
from roialign_rs._rectangles import common, rectangle, without

VIEW = (1, 2, 7, 9)
"""The cells that are shown."""
RULES = {"caffe": "torchvision, ONNX", "mmcv": "mmcv", "floor": "separate bins", "truncate": "equal bins"}


def explained(rule: Any = "caffe") -> Explanation:
    """Explain the box around the star, pooled to 2 x 2."""
    return ra.explain(STAR, 2, spatial_scale=1 / STRIDE, quantization=rule, features=brightness()[0, 0])


def draw_roi_pool() -> Figure:
    """Draw both roundings and the maxima under the rule that is the default."""
    e = explained()
    sheet = Sheet(3.5)
    for i, (title, draw_step) in enumerate(
        (("1  Round the box", _draw_box), ("2  Round the bins", _draw_bins), ("3  Largest of each", _draw_maxima))
    ):
        left = 0.2 + i * 2.65
        sheet.write(left, 0.3, title, fontsize=TITLE, fontweight="bold")
        draw_step(sheet.map_panel(left, 0.58, 2.3, VIEW), e)
    return sheet.figure


def draw_roi_pool_rules() -> Figure:
    """Draw the four rules side by side: the cells that are used, lost and gained."""
    sheet = Sheet(3.6)
    for i, (rule, who) in enumerate(RULES.items()):
        e, left = explained(rule), 0.2 + i * 1.96
        sheet.write(left, 0.28, f'"{rule}"', fontsize=TITLE, fontweight="bold")
        sheet.write(left, 0.54, who, color=MUTED)
        panel = sheet.map_panel(left, 0.72, 1.72, VIEW)
        draw_cells(panel, e.features)
        box, region = rectangle(e.mapped_box), rectangle(e.pooled_region)
        draw.fill(panel, [common(box, region)], draw.KEPT)
        draw.fill(panel, without(box, region), draw.FIRST_LOSS)
        draw.fill(panel, without(region, box), draw.GAIN)
        _outline_bins(panel, e)
        draw.outline(panel, [box], draw.BOX, linewidth=2.6)
        sheet.write(left, 2.92, f"lost {e.loss_area:.1f} cells", color=draw.FIRST_LOSS)
        sheet.write(left, 3.16, f"gained {e.gain_area:.1f} cells", color="#2b7a3b")
    return sheet.figure


def _draw_box(panel: Axes, e: Explanation) -> None:
    draw_cells(panel, e.features)
    box, cells = rectangle(e.mapped_box), rectangle(e.quantised_box)
    draw.fill(panel, without(cells, box), draw.GAIN)
    draw.fill(panel, without(box, cells), draw.FIRST_LOSS)
    draw.outline(panel, [cells], draw.FIRST_LOSS, linewidth=2.6, linestyle=draw.DASHES)
    draw.outline(panel, [box], draw.BOX, linewidth=2.6)


def _draw_bins(panel: Axes, e: Explanation) -> None:
    """Show the bins and the values of their cells; the largest of each are bold."""
    draw_cells(panel, e.features)
    _outline_bins(panel, e)
    x1, y1, x2, y2 = e.pooled_region
    for row, column in np.ndindex(y2 - y1, x2 - x1):
        value = e.features[y1 + row, x1 + column]
        weight = "bold" if value in e.pooled_values else "normal"
        write(panel, x1 + column + 0.5, y1 + row + 0.5, f"{value:.0f}", fontweight=weight, zorder=6)


def _draw_maxima(panel: Axes, e: Explanation) -> None:
    panel.set(xlim=(0, 2), ylim=(2, 0))
    draw_cells(panel, e.pooled_values)
    draw.outline(panel, [(x, y, x + 1, y + 1) for y in (0, 1) for x in (0, 1)], draw.BIN, linewidth=1.8)
    for (row, column), value in np.ndenumerate(e.pooled_values):
        write(panel, column + 0.5, row + 0.5, f"{value:.0f}", fontsize=TITLE, fontweight="bold")


def _outline_bins(panel: Axes, e: Explanation) -> None:
    """Outline each bin a little inside its cells, so that bins that share cells can be told apart."""
    inset = np.array([1, 1, -1, -1]) * 0.07
    draw.outline(panel, e.pooled_bins.reshape(-1, 4) + inset, draw.BIN, linewidth=1.8, zorder=4.5)
