"""Rectangles ``x1, y1, x2, y2``: their intersection, difference, area and size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rectangle: TypeAlias = tuple[float, float, float, float]


def rectangle(ends: Any) -> Rectangle:
    """Return four numbers of any kind as a tuple of floats."""
    x1, y1, x2, y2 = (float(end) for end in ends)
    return x1, y1, x2, y2


def common(a: Rectangle, b: Rectangle) -> Rectangle:
    """Return the intersection of two rectangles. Its area is 0 if they do not overlap."""
    x1, y1 = max(a[0], b[0]), max(a[1], b[1])
    return x1, y1, max(x1, min(a[2], b[2])), max(y1, min(a[3], b[3]))


def without(whole: Rectangle, hole: Rectangle) -> list[Rectangle]:
    """Return the part of ``whole`` outside ``hole``, as up to four rectangles."""
    x1, y1, x2, y2 = whole
    left, top, right, bottom = hole = common(whole, hole)
    pieces = [whole]
    if area([hole]) > 0.0:
        pieces = [(x1, y1, x2, top), (x1, bottom, x2, y2), (x1, top, left, bottom), (right, top, x2, bottom)]
    return [piece for piece in pieces if area([piece]) > 0.0]


def area(rectangles: Iterable[Rectangle]) -> float:
    """Return the sum of the areas. An inverted rectangle has the area 0."""
    return math.fsum(max(x2 - x1, 0.0) * max(y2 - y1, 0.0) for x1, y1, x2, y2 in rectangles)


def size(sides: Any) -> str:
    """Return the size of a rectangle as text, "width x height"."""
    x1, y1, x2, y2 = rectangle(sides)
    return f"{x2 - x1:.4g} x {y2 - y1:.4g}"


def cross(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pair every entry of x, (PW, n, ...), with every entry of y, (PH, m, ...): two arrays (PH, PW, m, n, ...)."""
    return np.broadcast_arrays(  # type: ignore[return-value]
        np.expand_dims(x, tuple(range(0, 2 * x.ndim, 2))), np.expand_dims(y, tuple(range(1, 2 * y.ndim, 2)))
    )


def rectangles(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return rectangles (..., 4) from intervals (..., 2) along x and y."""
    x1, y1 = cross(x[..., 0], y[..., 0])
    x2, y2 = cross(x[..., 1], y[..., 1])
    return np.stack([x1, y1, x2, y2], axis=-1)
