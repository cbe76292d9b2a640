"""Rectangles `x1, y1, x2, y2`: what two of them share, what one leaves of another, their area and their size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeAlias

Rectangle: TypeAlias = tuple[float, float, float, float]


def rectangle(ends: Any) -> Rectangle:
    """Make a tuple of floats of any four numbers."""
    x1, y1, x2, y2 = (float(end) for end in ends)
    return x1, y1, x2, y2


def common(a: Rectangle, b: Rectangle) -> Rectangle:
    """Return the part of both; it has no area if there is none."""
    x1, y1 = max(a[0], b[0]), max(a[1], b[1])
    return x1, y1, max(x1, min(a[2], b[2])), max(y1, min(a[3], b[3]))


def without(whole: Rectangle, hole: Rectangle) -> list[Rectangle]:
    """Cut one rectangle out of another: up to four rectangles."""
    x1, y1, x2, y2 = whole
    left, top, right, bottom = hole = common(whole, hole)
    pieces = [whole]
    if area([hole]) > 0.0:
        pieces = [(x1, y1, x2, top), (x1, bottom, x2, y2), (x1, top, left, bottom), (right, top, x2, bottom)]
    return [piece for piece in pieces if area([piece]) > 0.0]


def area(rectangles: Iterable[Rectangle]) -> float:
    """Add up the areas; an inverted rectangle has none."""
    return math.fsum(max(x2 - x1, 0.0) * max(y2 - y1, 0.0) for x1, y1, x2, y2 in rectangles)


def size(sides: Any) -> str:
    """Write width x height of any four numbers."""
    x1, y1, x2, y2 = rectangle(sides)
    return f"{x2 - x1:.4g} x {y2 - y1:.4g}"
