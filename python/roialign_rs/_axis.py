"""RoI pooling and RoI Align along one axis, and their outer products over two axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Axis:
    """Both operators along one axis, in cells: cell j covers ``[j, j + 1)`` and has its centre at ``j + 0.5``.

    Arrays with an entry per cell cover `touched` alone, so their size depends on the box and not on the map.
    """

    extent: int
    mapped: Floats  # (2,) ends of the exact box
    quantised: Ints  # (2,) first cell and end of the box after the first rounding, not clipped to the map
    pooled: Ints  # (P, 2) first cell and end of every bin of RoI pooling, clipped to the map
    edges: Floats  # (P + 1,) edges of the bins of RoI Align
    points: Floats  # (P, n) where RoI Align reads the map
    tap_index: Ints  # (P, n, 2) the two cells each point is interpolated from
    tap_weight: Floats  # (P, n, 2) the share of each, both 0 where the point is too far off the map to count

    @cached_property
    def region(self) -> Ints:
        """First cell and end of the cells that RoI pooling uses, (2,). Its bins leave no gap between them."""
        return _hull(self.pooled)

    @cached_property
    def box(self) -> Ints:
        """First cell and end of the map cells that the exact box overlaps, (2,). Equal if there are none."""
        low, high = np.clip(self.mapped, 0, self.extent)
        start = int(np.floor(low))
        return np.array([start, int(np.ceil(high)) if low < high else start])

    @cached_property
    def point_cells(self) -> Ints:
        """Cell of each sample that is on the map, (n,)."""
        on_map = self.points[(self.points >= 0) & (self.points < self.extent)]
        return on_map.astype(np.int64)

    @cached_property
    def tap_cells(self) -> Ints:
        """Cell of each tap with a positive weight, (n,)."""
        return self.tap_index[self.tap_weight > 0]

    @cached_property
    def touched(self) -> slice:
        """Range of cells that the exact box, the rounded box, a bin, a sample or a tap overlaps."""
        ranges = [self.box, self.quantised.clip(0, self.extent), self.region]
        ranges += [
            np.array([cells.min(), cells.max() + 1]) for cells in (self.point_cells, self.tap_cells) if cells.size
        ]
        start, end = _hull(np.stack(ranges)).tolist()
        return slice(start, end)

    def in_box(self, cells: Ints) -> int:
        """Count the distinct values of ``cells`` within `box`."""
        start, end = self.box
        return len(np.unique(cells[(cells >= start) & (cells < end)]))

    @property
    def covered(self) -> Floats:
        """Fraction of each cell that is inside the exact box."""
        low, high = np.clip(self.mapped[:, None] - np.arange(self.touched.start, self.touched.stop), 0.0, 1.0)
        fractions: Floats = np.maximum(high - low, 0.0)
        return fractions

    @property
    def kept(self) -> Bools:
        """Whether each cell is in the rounded box."""
        return self._inside(self.quantised)

    @property
    def used(self) -> Bools:
        """Whether each cell is in a bin of RoI pooling."""
        return self._inside(self.region)

    @property
    def point_count(self) -> Ints:
        """Number of samples inside each cell."""
        return self._add_up(self.point_cells).astype(np.int64)

    @property
    def weight(self) -> Floats:
        """Weight of each cell, summed over all samples."""
        return self._add_up(self.tap_cells, self.tap_weight[self.tap_weight > 0]).astype(np.float64)

    def _inside(self, interval: Ints) -> Bools:
        cells = np.arange(self.touched.start, self.touched.stop)
        inside: Bools = (interval[0] <= cells) & (cells < interval[1])
        return inside

    def _add_up(self, cells: Ints, weights: Floats | None = None) -> NDArray[Any]:
        return np.bincount(cells - self.touched.start, weights, self.touched.stop - self.touched.start)


@dataclass(frozen=True, eq=False)
class Cells:
    """What both operators do with each cell: arrays over ``(y.touched, x.touched)``."""

    x: Axis
    y: Axis

    @property
    def box(self) -> Floats:
        """Fraction of each cell that is inside the exact box."""
        return np.outer(self.y.covered, self.x.covered)

    @property
    def quantised(self) -> Bools:
        """Whether each cell is in the rounded box."""
        return np.logical_and.outer(self.y.kept, self.x.kept)

    @property
    def pooled(self) -> Bools:
        """Whether each cell is in a bin of RoI pooling."""
        return np.logical_and.outer(self.y.used, self.x.used)

    @property
    def samples(self) -> Ints:
        """Number of samples inside each cell."""
        return np.outer(self.y.point_count, self.x.point_count)

    @property
    def weight(self) -> Floats:
        """Weight that RoI Align gives each cell."""
        return np.outer(self.y.weight, self.x.weight)

    def on_map(self, part: NDArray[Any]) -> NDArray[Any]:
        """Return one of these arrays as an array over the whole map, (H, W), with 0 elsewhere."""
        plane = np.zeros((self.y.extent, self.x.extent), part.dtype)
        plane[self.y.touched, self.x.touched] = part
        return plane


def _hull(intervals: Ints) -> Ints:
    """Return the smallest interval around all non-empty intervals, or an empty one if there are none."""
    taken = intervals[intervals[:, 0] < intervals[:, 1]]
    if len(taken) == 0:
        return intervals[[0, 0], [0, 0]]
    return np.array([taken[:, 0].min(), taken[:, 1].max()])
