"""A sheet to draw on, measured in inches from its top left corner, and the style that all pictures share."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

WIDTH = 8.0
"""Inches. A page shows a sheet about 800 pixels wide, a phone about 390: text of 12 points is then 8 pixels high."""

TITLE, TEXT = 15, 12
"""Sizes of text, in points."""

INK, MUTED = "#1f2328", "#59636e"
POOLING, ALIGN = "#1d4f9c", "#d9730d"
"""Blue and orange stay apart for colour-blind readers."""

SHADES = LinearSegmentedColormap.from_list("shades", ["#c3c9d2", "#ffffff"])
"""Brightness, so light that lines and numbers can be read on it."""
NIGHT = LinearSegmentedColormap.from_list("night", ["#10124a", "#57598f", "#b9b4c4", "#fffaf0"])
"""Brightness in the colours of the flag."""


class Sheet:
    """A white sheet."""

    def __init__(self, height: float, pixels_per_inch: int = 200) -> None:
        self.height = height
        self.figure = Figure(figsize=(WIDTH, height), dpi=pixels_per_inch, facecolor="white")
        FigureCanvasAgg(self.figure)

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes without ticks and frame."""
        bottom = self.height - top - height
        place = (left / WIDTH, bottom / self.height, width / WIDTH, height / self.height)
        panel = self.figure.add_axes(place)
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
        return panel

    def map_panel(self, left: float, top: float, width: float, view: tuple[float, float, float, float]) -> Axes:
        """Add axes for a part of a map or of the photograph, x1, y1, x2, y2 with y down and square cells."""
        x1, y1, x2, y2 = view
        panel = self.panel(left, top, width, width * (y2 - y1) / (x2 - x1))
        panel.set(xlim=(x1, x2), ylim=(y2, y1))
        return panel

    def write(self, left: float, top: float, text: str, **options: Any) -> None:
        """Write text; its anchor is the middle of its left edge unless options say otherwise."""
        options = {"fontsize": TEXT, "color": INK, "ha": "left", "va": "center"} | options
        self.figure.text(left / WIDTH, 1 - top / self.height, text, **options)

    def title(self, left: float, top: float, name: str, colour: str, rest: str) -> None:
        """Write a name in bold and its colour, and behind it what it does."""
        self.write(left, top, name, fontsize=TITLE, fontweight="bold", color=colour)
        end = self.figure.texts[-1].get_window_extent().x1 / self.figure.dpi
        self.write(end + 0.1, top, rest, fontsize=TITLE)


def draw_cells(panel: Axes, values: NDArray[Any]) -> None:
    """Shade the cells of a map by their brightness in percent, and keep the limits of the panel."""
    height, width = values.shape
    limits = {"xlim": panel.get_xlim(), "ylim": panel.get_ylim()}
    panel.imshow(values, cmap=SHADES, vmin=0, vmax=100, extent=(0, width, height, 0), aspect="auto", zorder=0)
    panel.vlines(range(width + 1), 0, height, color="white", linewidth=1, zorder=0.5)
    panel.hlines(range(height + 1), 0, width, color="white", linewidth=1, zorder=0.5)
    panel.set(**limits)


def write(panel: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Write text into a panel, centred."""
    panel.text(x, y, text, **{"fontsize": TEXT, "color": INK, "ha": "center", "va": "center"} | options)
