"""What a picture shows, apart from how it is rendered: its words and its numbers, kept in the file of the picture.

Fonts and libraries differ between machines, and so do the pixels. The record tells whether a picture is up to date.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEY = "Drawn"
_MOST_VALUES = 4000
"""A larger image is the photograph itself."""
_NUMBER = re.compile(r"\d+(?:\.(\d+))?")

Record = dict[str, Any]
"""The words, and the numbers of each line, rectangle and image."""


def record(figure: Figure) -> Record:
    """List what every panel shows, in the order in which it was drawn."""
    words = [text.get_text() for place in (figure, *figure.axes) for text in place.texts]
    drawn: list[Any] = []
    for panel in figure.axes:
        drawn += [line.get_xydata() for line in panel.lines]
        drawn += [patch.get_bbox().extents for patch in panel.patches if isinstance(patch, Rectangle)]
        drawn += [image.get_array() for image in panel.images if image.get_array().size <= _MOST_VALUES]
    return {"words": words, "numbers": [np.asarray(part, float).ravel().round(4).tolist() for part in drawn]}


def same(one: Record, other: Record) -> bool:
    """Whether two records differ by roundings at most: one unit in the last digit of a word's number, or 1 %.

    Pictures are decoded, and numbers computed, a little differently from machine to machine.
    """
    return all(
        len(one[part]) == len(other[part]) and all(map(alike, one[part], other[part]))
        for part, alike in (("words", _same_words), ("numbers", _same_numbers))
    )


def _same_words(one: str, other: str) -> bool:
    pairs = zip(_NUMBER.finditer(one), _NUMBER.finditer(other), strict=False)
    return _NUMBER.sub("#", one) == _NUMBER.sub("#", other) and all(
        abs(float(a[0]) - float(b[0])) < 1.5 * 10.0 ** -len(a[1] or "") for a, b in pairs
    )


def _same_numbers(one: list[float], other: list[float]) -> bool:
    return len(one) == len(other) and np.allclose(one, other, rtol=0.01, atol=0.02)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours with the record of the figure and no other metadata."""
    figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    info = PngInfo()
    info.add_text(KEY, json.dumps(record(figure)), zip=True)
    pixels.quantize(256, kmeans=2).save(path, optimize=True, pnginfo=info)


def read(path: Path) -> Record:
    """Return the record in a picture."""
    with Image.open(path) as picture:
        drawn: Record = json.loads(picture.text[KEY])
    return drawn
