"""Drawing helpers for the panels of an explanation: colours, rectangles, numbers and legends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

FIRST_LOSS = "#1d4f9c"
SECOND_LOSS = "#86c5f4"
GAIN = "#45b058"
BOX = "#d62728"
BIN = "#222222"
WEIGHT = "#f8a72f"
POINT = "#5b21b6"
KEPT = "#fdf3d0"
OFF_MAP = "#dddddd"
GRID = "#c8c8c8"
DASHES = (0, (4, 2))

MOST_NUMBERS = 18
"""Maximum width of a view, in cells, in which a number is readable in each cell."""


def title(panel: Axes, text: str) -> None:
    """Set the title of a panel."""
    panel.set_title(text, fontsize=13, fontweight="bold")


def fill(panel: Axes, rectangles: Iterable[Any], colour: str, **style: Any) -> None:
    """Fill rectangles with a colour."""
    _add(panel, rectangles, facecolor=colour, **({"zorder": 1} | style))


def outline(panel: Axes, rectangles: Iterable[Any], colour: str, **style: Any) -> None:
    """Draw the outlines of rectangles."""
    _add(panel, rectangles, fill=False, edgecolor=colour, **({"zorder": 4} | style))


def write(panel: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Write a small text with a white outline, which is readable on any background."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    style = {"fontsize": 8.5, "zorder": 6} | style
    panel.text(x, y, text, ha="center", va="center", path_effects=halo, clip_on=True, **style)


def notice(panel: Axes, text: str) -> None:
    """Write a sentence at the lower edge of a panel."""
    frame = {"facecolor": "white", "edgecolor": BOX, "boxstyle": "round,pad=0.5"}
    panel.text(
        0.5,
        0.06,
        text,
        transform=panel.transAxes,
        ha="center",
        va="center",
        fontsize=11,
        color=BOX,
        bbox=frame,
        zorder=9,
    )


def numbers_fit(panel: Axes) -> bool:
    """Return whether a number fits into each cell of a panel."""
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    return max(right - left, bottom - top) <= MOST_NUMBERS


def line(colour: str, label: str, **style: Any) -> Artist:
    """Return a line for a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linewidth=1.8, label=label, **style)


def patch(colour: str, label: str) -> Artist:
    """Return a coloured rectangle for a legend."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, label=label)


def legend(panel: Axes, handles: Sequence[Artist]) -> None:
    """Place a legend below a panel."""
    below = panel.legend(handles=list(handles), loc="upper center", ncols=2, frameon=False, fontsize=10)
    below.set_bbox_to_anchor((0.5, 0.0), transform=panel.transAxes)
    below.borderaxespad = 2.0


def _add(panel: Axes, rectangles: Iterable[Any], **style: Any) -> None:
    from matplotlib.patches import Rectangle

    for x1, y1, x2, y2 in rectangles:
        panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **style))
