"""Reports boxes that are probably mistakes. Operators do not call this."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from roialign_rs._args import Boxes, Pair, boxes as as_boxes, shown
from roialign_rs._core import integer, pair

BoxFormat: TypeAlias = Literal["xyxy", "yxyx", "xywh", "cxcywh"]
OnProblem: TypeAlias = Literal["report", "warn", "raise"]

_MEANINGS = {
    "NOT_FINITE": "has a coordinate that is not finite",
    "INVERTED": "has a negative width or height",
    "EMPTY": "has no area",
    "OUTSIDE": "lies outside the image",
    "NO_IMAGE": "belongs to no image",
    "NORMALISED": "lies within [0, 1], but pixels are expected: multiply it by the size of the image",
    "XYWH": "is inverted, and more than half of the boxes are inverted but fit the image as x, y, width, height: "
    'pass box_format="xywh" here, and x + width, y + height as x2, y2 to operators',
}
"""Description of each problem of a box, by the name of its constant."""
_FORMATS = ("xyxy", "yxyx", "xywh", "cxcywh")
_SMALL_IMAGE = 16
"""If the image has a side of at most this many pixels, a box within [0, 1] is not reported."""
_LISTED = 5
"""Maximum number of rows listed for each problem in a summary."""


@dataclass(frozen=True, eq=False, repr=False)
class BoxReport:
    """The boxes that `check_boxes` found to be suspicious. ``print(report)`` gives a summary."""

    NOT_FINITE: ClassVar[int] = 1
    """A coordinate is NaN or infinite. The box has no other geometric problem then."""
    INVERTED: ClassVar[int] = 2
    """The width or height is negative."""
    EMPTY: ClassVar[int] = 4
    """The width or height is 0."""
    OUTSIDE: ClassVar[int] = 8
    """No part of the box is on the image."""
    NO_IMAGE: ClassVar[int] = 16
    """The batch index is not an integer in [0, images), or it is missing and ``images != 1``."""
    NORMALISED: ClassVar[int] = 32
    """All coordinates are within [0, 1], and both sides of the image are longer than 16 pixels."""
    XYWH: ClassVar[int] = 64
    """The box is inverted, and more than half of the boxes are inverted but fit the image as x, y, width, height."""

    rows: NDArray[np.uint8]
    """Problems of each box: (K,) array of uint8, the sum of the constants above, 0 if there is none."""
    _boxes: NDArray[np.float64]
    _indices: NDArray[Any] | None

    @cached_property
    def problems(self) -> list[tuple[int, str, str]]:
        """Every problem as (row, name, message), row by row.

        ``name`` is that of a constant of this class, such as "EMPTY".
        """
        return [
            (row, name, f"boxes[{row}]: {self._described(row, name, meaning)}")
            for row in np.flatnonzero(self.rows).tolist()
            for name, meaning in _MEANINGS.items()
            if self.rows[row] & getattr(BoxReport, name)
        ]

    def __str__(self) -> str:
        return "\n".join(self._summary())

    def __repr__(self) -> str:
        return f"<BoxReport: {next(self._summary())}>"

    def _summary(self) -> Iterator[str]:
        bad = np.count_nonzero(self.rows)
        yield f"{bad or 'none'} of {len(self.rows)} boxes {'has' if bad == 1 else 'have'} problems"
        for name, meaning in _MEANINGS.items():
            found = np.flatnonzero(self.rows & getattr(BoxReport, name)).tolist()
            if found:
                listed = ", ".join(map(str, found[:_LISTED])) + (", ..." if len(found) > _LISTED else "")
                yield f"  {name}: {len(found)} (rows {listed}), a box that {meaning}"

    def _described(self, row: int, name: str, meaning: str) -> str:
        if name == "NO_IMAGE":
            return (
                "batch index is missing" if self._indices is None else f"batch index {self._indices[row]:g} {meaning}"
            )
        return f"({', '.join(f'{value:g}' for value in self._boxes[row])}) {meaning}"


def check_boxes(
    boxes: Boxes,
    image_size: Pair,
    *,
    images: SupportsIndex | None = None,
    batch_indices: ArrayLike | None = None,
    box_format: BoxFormat = "xyxy",
    on_problem: OnProblem = "report",
) -> BoxReport:
    """Report boxes that are probably mistakes, before they give results that are wrong without an error.

    It finds coordinates that are NaN or infinite, boxes that are inverted, empty or outside the image, batch indices of
    no image, coordinates in [0, 1] instead of pixels, and ``x, y, width, height`` instead of two corners. Operators
    accept most such boxes, because they can be intended, and do not call this function.

    Parameters
    ----------
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes in image pixels, in the order of ``box_format``. In a (K, 5) array the first column is the batch index:
        the number of the image, from 0. In a list, entry i holds the boxes of image i, and rows are counted through all
        entries. One box may also come as (4,) or (5,).
    image_size : int or (int, int)
        Height and width of the images in pixels. An int means both.
    images : int, optional
        Number of images. Without it, batch indices are not checked.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4).
    box_format : {"xyxy", "yxyx", "xywh", "cxcywh"}, default "xyxy"
        The four columns: two corners (x or y first), a corner and the size, or the centre and the size.
    on_problem : {"report", "warn", "raise"}, default "report"
        Return the report, also issue one warning, or raise a ValueError.

    Returns
    -------
    BoxReport
        ``rows`` has a bit for each problem of a box; ``problems`` lists them with messages; ``print`` gives a summary.

    Raises
    ------
    ValueError
        If a shape or a value is not valid; with ``on_problem="raise"`` also if there is a problem.
    TypeError
        If the dtype or the type of an argument is not supported.

    Warns
    -----
    UserWarning
        With ``on_problem="warn"``, if there is a problem.

    Notes
    -----
    A single box does not show whether its columns are ``x, y, width, height``. Inverted rows are therefore marked XYWH
    if more than half of all rows are inverted as ``x1, y1, x2, y2`` and inside the image as ``x, y, width, height``.

    Examples
    --------
    >>> import roialign_rs as ra
    >>> report = ra.check_boxes([[10, 10, 50, 40], [30, 20, 30, 60], [700, 0, 750, 50]], (480, 640))
    >>> print(report)
    2 of 3 boxes have problems
      EMPTY: 1 (rows 1), a box that has no area
      OUTSIDE: 1 (rows 2), a box that lies outside the image
    >>> report.problems[0]
    (1, 'EMPTY', 'boxes[1]: (30, 20, 30, 60) has no area')
    >>> report.rows & ra.BoxReport.OUTSIDE
    array([0, 0, 8], dtype=uint8)
    """
    _check_choice("box_format", box_format, _FORMATS)
    _check_choice("on_problem", on_problem, ("report", "warn", "raise"))
    height, width = pair("image_size", image_size)
    if min(height, width) < 1:
        raise ValueError(f"image_size must be at least 1, got {image_size}")
    count = None if images is None else integer("images", images)
    if count is not None and count < 0:
        raise ValueError(f"images must be at least 0, got {count}")
    table, indices = _table(boxes, batch_indices)
    size = np.array([width, height])
    problems = _geometry(table, size, box_format)
    if count is not None:
        problems["NO_IMAGE"] = _no_image(indices, count, len(table))
    rows = np.zeros(len(table), np.uint8)
    for name, found in problems.items():
        rows[found] |= getattr(BoxReport, name)
    report = BoxReport(rows, table, indices)
    if rows.any() and on_problem == "raise":
        raise ValueError(str(report))
    if rows.any() and on_problem == "warn":
        warnings.warn(str(report), UserWarning, stacklevel=2)
    return report


def _table(boxes: Boxes, batch_indices: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[Any] | None]:
    """Split boxes into coordinates, (K, 4), and batch indices, (K,) or None."""
    table, indices = as_boxes(boxes, batch_indices, len(boxes) if isinstance(boxes, (list, tuple)) else 1)
    if table.ndim != 2 or table.shape[1] not in (4, 5):
        raise ValueError(f"boxes: expected shape (K, 4) or (K, 5), got {table.shape}")
    if table.shape[1] == 5:
        if indices is not None:
            raise ValueError(
                "batch_indices cannot be given with boxes of shape (K, 5), whose first column is the batch index; "
                "leave it out"
            )
        return table[:, 1:].astype(np.float64), table[:, 0]
    return table.astype(np.float64), indices


def _geometry(
    table: NDArray[np.float64], size: NDArray[np.int64], box_format: BoxFormat
) -> dict[str, NDArray[np.bool_]]:
    """Return for each geometric problem which rows have it."""
    with np.errstate(invalid="ignore", over="ignore"):
        starts, ends = _corners(table, box_format)
        finite = np.isfinite(table).all(axis=1)
        inverted = finite & (ends < starts).any(axis=1)
        low, high = np.minimum(starts, ends), np.maximum(starts, ends)
        # Outside: high <= 0 or low >= size. A side of length 0 on the edge is inside.
        beyond = np.where(low < high, (high <= 0) | (low >= size), (high < 0) | (low > size))
        problems = {
            "NOT_FINITE": ~finite,
            "INVERTED": inverted,
            "EMPTY": finite & (starts == ends).any(axis=1),
            "OUTSIDE": finite & beyond.any(axis=1),
        }
        if size.min() > _SMALL_IMAGE:
            problems["NORMALISED"] = ((table >= 0) & (table <= 1)).all(axis=1)
        if box_format == "xyxy":
            corner, sides = table[:, :2], table[:, 2:]
            inside = ((corner >= 0) & (sides > 0) & (corner + sides <= size)).all(axis=1)
            if 2 * np.count_nonzero(inverted & inside) > len(table):
                problems["XYWH"] = inverted
    return problems


def _corners(table: NDArray[np.float64], box_format: BoxFormat) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both corners of each box, x before y: two (K, 2) arrays."""
    first, second = table[:, :2], table[:, 2:]
    if box_format == "yxyx":
        return first[:, ::-1], second[:, ::-1]
    if box_format == "xywh":
        return first, first + second
    if box_format == "cxcywh":
        return first - second / 2, first + second / 2
    return first, second


def _no_image(indices: NDArray[Any] | None, images: int, count: int) -> NDArray[np.bool_]:
    """Return which rows have a batch index of no image."""
    if indices is None:
        return np.full(count, images != 1)
    with np.errstate(invalid="ignore"):
        known: NDArray[np.bool_] = (indices >= 0) & (indices < images) & (indices == np.floor(indices))
    return ~known


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    expected = ", ".join(f'"{choice}"' for choice in choices[:-1]) + f' or "{choices[-1]}"'
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {expected}, got {shown(value)}")
    if value not in choices:
        raise ValueError(f'{name} must be {expected}, got "{value}"')
