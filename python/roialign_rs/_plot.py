"""The picture of an explanation: RoI pooling on the left and RoI Align on the right, over the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from roialign_rs import _draw as draw, _panels as panels
from roialign_rs._args import shown
from roialign_rs._footprint import Footprint
from roialign_rs._rectangles import Rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABOVE, BELOW = 0.5, 1.3
"""Heights of the title and of the legend in inches."""
MOST_CELLS = 100
"""Maximum width of a view with grid lines, in cells. More lines would hide the colours."""
_REACH = 24
"""A box that misses the map by at most this many cells is shown together with the edge of the map."""


def plot_explanation(e: Footprint, ax: Axes | Sequence[Axes] | None) -> Figure:
    """Draw both panels. See `Explanation.plot`."""
    plt = pyplot()
    from matplotlib.axes import Axes

    if ax is None:
        height = panel_height(e, 6.2) + ABOVE + BELOW
        margins = {"left": 0.03, "right": 0.99, "top": 1 - ABOVE / height, "bottom": BELOW / height, "wspace": 0.07}
        _, (pooling, align) = plt.subplots(1, 2, figsize=(13.0, height), gridspec_kw=margins)
    elif isinstance(ax, Axes):
        ax.set_axis_off()
        pooling, align = ax.inset_axes((0.0, 0.0, 0.47, 1.0)), ax.inset_axes((0.53, 0.0, 0.47, 1.0))
    else:
        pooling, align = _two_axes(ax)
    for panel in (pooling, align):
        _draw_map(panel, e)
    panels.draw_pooling(pooling, e)
    panels.draw_align(align, e)
    return cast("Figure", pooling.figure)


def _two_axes(ax: Any) -> tuple[Axes, Axes]:
    from matplotlib.axes import Axes

    try:
        pooling, align = ax
    except (TypeError, ValueError):
        pooling = align = None
    if not (isinstance(pooling, Axes) and isinstance(align, Axes)):
        raise TypeError(f"ax must be Matplotlib Axes or two of them, got {shown(ax)}")
    return pooling, align


def pyplot() -> Any:
    """Import Matplotlib. The error of a failed import says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("drawing needs matplotlib: pip install 'roialign_rs[plot]'") from None
    return plt


def panel_height(e: Footprint, width: float) -> float:
    """Return the height of a panel of this width, such that its cells are square."""
    left, top, right, bottom = window(e)
    return width * float(np.clip((bottom - top) / (right - left), 0.3, 1.6))


def window(e: Footprint) -> Rectangle:
    """Return the part of the plane to show: the box, its roundings and a margin.

    Of the plane off the map it shows 2 cells. If the box misses the map by at most `_REACH` cells, it shows the box.
    """
    touched = np.stack([e.mapped_box, e.quantised_box, e.pooled_region, e.bins[0, 0], e.bins[-1, -1]])
    (left, right), (top, bottom) = (
        _interval(touched[:, [axis, axis + 2]], extent) for axis, extent in ((0, e.map_size[1]), (1, e.map_size[0]))
    )
    return left, top, right, bottom


def _interval(ends: Any, extent: int) -> tuple[float, float]:
    """Return the part of one axis to show. ``ends`` are intervals, the first of which is the exact box."""
    low, high = ends.min(), ends.max()
    margin = max(1.0, (high - low) // 32)
    gap = max(ends[0].min() - extent, -ends[0].max())
    if gap >= 0:
        # The box misses the map. Its roundings, clipped, lie at the edge of the map: what is between is shown.
        edge = min(max(ends[0].min(), 0), extent)
        if gap <= _REACH:
            return float(np.floor(min(low, edge)) - 2 * margin), float(np.ceil(max(high, edge)) + 2 * margin)
        low = high = edge
        margin = 4.0
    beyond = 0.0 if low >= 0 and high <= extent and gap < 0 else 2.0
    low, high = np.clip([np.floor(low) - margin, np.ceil(high) + margin], -beyond, extent + beyond)
    return float(low), float(high)


def _draw_map(panel: Axes, e: Footprint) -> None:
    """Draw the empty cells, with y downwards and square cells."""
    from matplotlib.ticker import MaxNLocator

    left, top, right, bottom = window(e)
    height, width = e.map_size
    panel.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", facecolor=draw.OFF_MAP)
    draw.fill(panel, [(0, 0, width, height)], "white", zorder=0)
    ticks = MaxNLocator(16, integer=True)
    x1, x2, y1, y2 = max(left, 0), min(right, width), max(top, 0), min(bottom, height)
    for axis, low, high in ((panel.xaxis, x1, x2), (panel.yaxis, y1, y2)):
        places = np.asarray(ticks.tick_values(low, max(low, high)))
        axis.set_ticks(places[(places >= low) & (places <= high)])
    panel.tick_params(length=0, labelsize=9, labelcolor="#666666")
    if max(right - left, bottom - top) <= MOST_CELLS:
        panel.vlines(np.arange(x1, x2 + 1), y1, y2, color=draw.GRID, linewidth=0.6, zorder=1.5)
        panel.hlines(np.arange(y1, y2 + 1), x1, x2, color=draw.GRID, linewidth=0.6, zorder=1.5)
    panel.spines[:].set_visible(False)
    if e.is_outside:
        draw.notice(panel, "The box lies outside the map")
