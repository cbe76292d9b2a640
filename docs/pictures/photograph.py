"""The photograph of the pictures, and feature maps made of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray

from roialign_rs._picture import Picture, block_means, read

STRIDE = 16
STAR = (39, 52, 87, 116)
"""A box of 48 x 64 pixels around a star of the flag: 3 x 4 cells, and every edge lies inside a cell."""


@cache
def photograph() -> Picture:
    """Return matplotlib's sample photograph of Grace Hopper, 512 x 600 pixels."""
    return read(Path(get_sample_data("grace_hopper.jpg", asfileobj=False)))


@cache
def brightness() -> NDArray[np.float64]:
    """Return a map of one channel, (1, 1, H, W): the mean brightness of blocks of 16 x 16 pixels, in percent."""
    return 100 * block_means(photograph().luminance, STRIDE)[None, None]


@cache
def colours(stride: int) -> NDArray[np.float64]:
    """Return a map of three channels, (1, 3, H, W): mean red, green and blue of blocks of stride x stride pixels."""
    planes = np.moveaxis(photograph().pixels / 255, -1, 0)
    return np.stack([block_means(plane, stride) for plane in planes])[None]


def show_photograph(panel: Axes) -> None:
    """Draw the photograph into a panel whose limits are pixels, and keep its limits."""
    pixels = photograph().pixels
    limits = {"xlim": panel.get_xlim(), "ylim": panel.get_ylim()}
    panel.imshow(pixels, extent=(0, pixels.shape[1], pixels.shape[0], 0), interpolation="antialiased", aspect="auto")
    panel.set(**limits)
