"""The picture that contains the box: reading, averaging into a map, and drawing next to the explanation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roialign_rs import _draw as draw, _plot as plot
from roialign_rs._axis import Floats
from roialign_rs._explanation import Explanation
from roialign_rs._rectangles import Rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 6.2
"""Width of each of the three panels in inches."""
_SMALL = 1 / 5
"""A box that takes a smaller part of the picture's longer side is shown enlarged."""
_MARGIN = 1 / 100
"""Margin around the box, as a fraction of the picture's longer side."""


class Picture(NamedTuple):
    """A picture in upright orientation."""

    pixels: NDArray[Any]
    """Colours, (H, W, 3) uint8, or grey values from 0 to 1, (H, W)."""
    luminance: Floats
    """Grey values from 0 to 1, (H, W)."""


def read(path: Path | None) -> Picture:
    """Read a picture in any format that Pillow supports. Without a path, read the photograph that Matplotlib ships.

    Raises
    ------
    ImportError
        If Pillow is not installed, or Matplotlib, whose photograph is asked for. Install both with
        ``pip install 'roialign_rs[plot]'``.
    OSError
        If the file does not exist or is not a picture.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ImportError("reading a picture needs Pillow: pip install 'roialign_rs[plot]'") from None
    with Image.open(_sample() if path is None else path) as picture:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith("I"):
            # Sixteen bits, which conversion to "L" would clip to the eight lowest.
            grey = np.asarray(upright, dtype=np.float64) / 65535
            return Picture(grey, grey)
        return Picture(np.asarray(upright.convert("RGB")), np.asarray(upright.convert("L"), dtype=np.float64) / 255)


def _sample() -> Path:
    """Find a photograph that is there wherever pictures can be drawn: 512 x 600 pixels, of the public domain."""
    try:
        from matplotlib.cbook import get_sample_data
    except ImportError:
        raise ImportError("the sample photograph needs Matplotlib: pip install 'roialign_rs[plot]'") from None
    return Path(get_sample_data("grace_hopper.jpg", asfileobj=False))


def block_means(luminance: Floats, stride: int) -> Floats:
    """Average blocks of ``stride`` x ``stride`` pixels. The last block of a row or column may be smaller."""
    sums, counts = luminance, np.ones_like(luminance)
    for axis, extent in enumerate(luminance.shape):
        sums, counts = (np.add.reduceat(part, np.arange(0, extent, stride), axis) for part in (sums, counts))
    return sums / counts


def plot_on_picture(e: Explanation, pixels: NDArray[Any]) -> Figure:
    """Draw the picture with the box and the cells in a first panel, then the two panels of `Explanation.plot`."""
    plt = plot.pyplot()
    height = max(plot.panel_height(e, _WIDTH), 0.7 * _WIDTH) + plot.ABOVE + plot.BELOW
    margins = {"left": 0.02, "right": 0.99, "top": 1 - plot.ABOVE / height, "bottom": plot.BELOW / height}
    figure, (first, *others) = plt.subplots(
        1, 3, figsize=(3 * _WIDTH + 1.5, height), gridspec_kw={**margins, "wspace": 0.1}
    )
    _draw_picture(figure, first, e, pixels)
    return e.plot(others)


def _draw_picture(figure: Figure, panel: Axes, e: Explanation, pixels: NDArray[Any]) -> None:
    """Draw the whole picture, or for a small box its surroundings and the whole picture below."""
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = e.box
    stride = 1 / e.settings.spatial_scale
    heading = f"The picture, in cells of {stride:g} pixels"
    # What the box has outside is shown as far as half a picture, with a margin for its outline.
    margin = _MARGIN * max(height, width)
    (left, right), (top, bottom) = (
        (max(min(min(ends) - margin, 0), -extent / 2), min(max(max(ends) + margin, extent), 1.5 * extent))
        for ends, extent in (((x1, x2), width), ((y1, y2), height))
    )
    view = left, top, right, bottom
    if max(abs(x2 - x1), abs(y2 - y1)) < _SMALL * max(height, width) and not e.is_outside:
        left, top, right, bottom = plot.window(e)
        view = stride * left, stride * top, stride * right, stride * bottom
        heading = f"The picture, enlarged, in cells of {stride:g} pixels"
        _draw_whole_picture(figure, panel, e, pixels, view)
    _show(panel, e, pixels, view)
    if max(view[2] - view[0], view[3] - view[1]) <= plot.MOST_CELLS * stride:
        lines: dict[str, Any] = {"color": "white", "linewidth": 0.6, "alpha": 0.7}
        panel.vlines(np.arange(0, width + 1, stride), 0, height, **lines)
        panel.hlines(np.arange(0, height + 1, stride), 0, width, **lines)
    draw.title(panel, heading)
    if e.is_outside:
        draw.notice(panel, "The box lies outside the picture")


def _draw_whole_picture(figure: Figure, panel: Axes, e: Explanation, pixels: NDArray[Any], view: Rectangle) -> None:
    """Draw the whole picture below a panel, with a frame around the part that the panel shows."""
    place = panel.get_position()
    below = (plot.BELOW - 0.3) / figure.get_figheight()
    whole = figure.add_axes((place.x0, place.y0 - 1.12 * below, place.width, below))
    height, width = pixels.shape[:2]
    _show(whole, e, pixels, (0, 0, width, height))
    draw.outline(whole, [view], "#ffd84d", linewidth=1.5)


def _show(panel: Axes, e: Explanation, pixels: NDArray[Any], view: Rectangle) -> None:
    """Draw a part of the picture, with the box."""
    left, top, right, bottom = view
    height, width = pixels.shape[:2]
    panel.imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0), aspect="equal")
    panel.set(xlim=(left, right), ylim=(bottom, top), facecolor=draw.OFF_MAP, xticks=[], yticks=[])
    panel.spines[:].set_visible(False)
    draw.outline(panel, [e.box], draw.BOX, linewidth=2.2)
