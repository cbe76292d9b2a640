"""A feature pyramid without a network: Gaussian derivatives of three colour channels, as early vision models use them.

Every level has the same 66 channels: 3 colours x 2 scales x (blur, 4 edges, 4 bars, bright and dark spots).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

STRIDES = (4, 8, 16, 32)
ANGLES = np.arange(4) * np.pi / 4
SCALES = (1.0, 2.0)
"""Standard deviations of the filters, in pixels of twice the level's resolution."""


def feature_pyramid(picture: NDArray[np.uint8]) -> dict[int, Array]:
    """Turn an (H, W, 3) picture into features, (1, 66, H / stride, W / stride), for each stride."""
    red, green, blue = planes(picture)
    colours = np.stack([(red + green + blue) / 3, red - green, blue - (red + green) / 2])
    pyramid = {}
    resolution = 1
    for stride in STRIDES:
        while 2 * resolution < stride:
            colours, resolution = halve(colours), 2 * resolution
        responses = np.concatenate([filter_bank(colours, scale) for scale in SCALES])
        pyramid[stride] = halve(responses)[None]
    return pyramid


def planes(picture: NDArray[np.uint8]) -> Array:
    """Colours from 0 to 1, (3, H, W), with the border repeated until every stride divides the size."""
    height, width = picture.shape[:2]
    pad = ((0, -height % STRIDES[-1]), (0, -width % STRIDES[-1]), (0, 0))
    return np.pad(picture, pad, mode="edge").transpose(2, 0, 1).astype(np.float32) / 255


def filter_bank(colours: Array, scale: float) -> Array:
    """Blur, and rectified edges, bars and spots at one scale, (C, H, W) to (11 C, H, W)."""
    reach = np.arange(-int(3 * scale), int(3 * scale) + 1)
    blur = np.exp(-(reach**2) / (2 * scale**2))
    blur /= blur.sum()
    first = -reach / scale * blur
    second = (reach**2 / scale**2 - 1) * blur
    # Derivatives in any direction are combinations of those along the axes.
    dx, dy = slide(colours, blur, first), slide(colours, first, blur)
    dxx, dxy, dyy = slide(colours, blur, second), slide(colours, first, first), slide(colours, second, blur)
    maps = [slide(colours, blur, blur)]
    for cos, sin in zip(np.cos(ANGLES), np.sin(ANGLES), strict=True):
        maps += [np.abs(cos * dx + sin * dy), np.abs(cos**2 * dxx + 2 * cos * sin * dxy + sin**2 * dyy)]
    spots = dxx + dyy
    maps += [np.maximum(spots, 0), np.maximum(-spots, 0)]
    return np.concatenate(maps).astype(np.float32)


def slide(maps: Array, down: NDArray[np.float64], across: NDArray[np.float64]) -> Array:
    """Filter with one kernel along y and another along x; the border pixels are repeated."""
    for axis, kernel in ((1, down), (2, across)):
        reach = len(kernel) // 2
        padded = np.pad(maps, [(reach, reach) if i == axis else (0, 0) for i in range(3)], mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis)
        maps = windows @ kernel[::-1].astype(np.float32)
    return maps


def halve(maps: Array) -> Array:
    """Average blocks of 2 x 2, so that cell i of a stride covers pixels i * stride to (i + 1) * stride."""
    channels, height, width = maps.shape
    return maps.reshape(channels, height // 2, 2, width // 2, 2).mean((2, 4))
