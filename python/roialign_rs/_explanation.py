"""An explanation of one box: two axes, each with what both operators do along it, and the products of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
SamplePoints = Literal["center", "interior"]
Quantization = Literal["caffe", "mmcv", "floor", "truncate"]


@dataclass(frozen=True, eq=False)
class Axis:
    """Both operators along one axis, in cells: cell `i` covers [i, i + 1) and its centre is `i + 0.5`."""

    extent: int
    mapped: Floats  # (2,) ends of the exact box
    quantised: Ints  # (2,) first cell and end of the box after the first rounding, not clipped to the map
    pooled: Ints  # (P, 2) first cell and end of every bin of RoI pooling, clipped to the map
    edges: Floats  # (P + 1,) edges of the bins of RoI Align
    points: Floats  # (P, n) where RoI Align reads the map
    tap_index: Ints  # (P, n, 2) the two cells each point is interpolated from
    tap_weight: Floats  # (P, n, 2) the share of each, both 0 where the point is too far off the map to count

    @property
    def covered(self) -> Floats:
        """The fraction of each cell inside the exact box, (extent,)."""
        ends = np.clip(self.mapped[:, None] - np.arange(self.extent), 0.0, 1.0)
        fractions: Floats = np.maximum(ends[1] - ends[0], 0.0)
        return fractions

    @property
    def kept(self) -> Bools:
        """Whether each cell is in the quantised box, (extent,)."""
        return _contains(self.quantised[None], self.extent)

    @property
    def used(self) -> Bools:
        """Whether each cell is in a bin of RoI pooling, (extent,)."""
        return _contains(self.pooled, self.extent)

    @property
    def point_count(self) -> Ints:
        """The number of points inside each cell, (extent,)."""
        on_map = self.points[(self.points >= 0) & (self.points < self.extent)]
        return np.bincount(on_map.astype(np.int64), None, self.extent).astype(np.int64)

    @property
    def weight(self) -> Floats:
        """The share of each cell, summed over all points, (extent,)."""
        return np.bincount(self.tap_index.ravel(), self.tap_weight.ravel(), self.extent).astype(np.float64)


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """One box as RoI pooling and RoI Align see it, made by `explain`.

    Coordinates are feature cells, x before y: cell `i` covers [i, i + 1), its centre is `i + 0.5`, and ends are
    exclusive. Arrays over the map are `(H, W)`; arrays over the output grid start with `(PH, PW)`.
    ``print(explanation)`` tells the story in words and `plot` draws it.
    """

    box: tuple[float, float, float, float]
    """The box as given, `x1, y1, x2, y2` in image pixels."""
    spatial_scale: float
    """Cells per image pixel."""
    aligned: bool
    """Whether RoI Align shifts the box by half a pixel."""
    placement: SamplePoints
    """Where the points stand in a bin, the argument `sample_points`."""
    quantization: Quantization
    """How RoI pooling rounds."""
    _x: Axis
    _y: Axis

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the output."""
        return len(self._y.pooled), len(self._x.pooled)

    @property
    def map_size(self) -> tuple[int, int]:
        """Height and width of the map."""
        return self._y.extent, self._x.extent

    @cached_property
    def mapped_box(self) -> Floats:
        """The exact box, `box * spatial_scale`, (4,)."""
        return _rectangles(self._x.mapped, self._y.mapped)

    @cached_property
    def quantised_box(self) -> Ints:
        """The cells that stand for the box after the first rounding, not clipped to the map, (4,)."""
        return _rectangles(self._x.quantised, self._y.quantised)

    @cached_property
    def pooled_region(self) -> Ints:
        """The hull of all cells that RoI pooling uses, (4,); it has no area when RoI pooling uses none."""
        return _rectangles(_hull(self._x.pooled), _hull(self._y.pooled))

    @cached_property
    def pooled_bins(self) -> Ints:
        """The cells of every bin of RoI pooling, clipped to the map, (PH, PW, 4)."""
        return _rectangles(self._x.pooled, self._y.pooled)

    @cached_property
    def bins(self) -> Floats:
        """The bins of RoI Align, (PH, PW, 4); with `aligned=False` half a cell further, as the points are."""
        return _rectangles(*(np.stack([axis.edges[:-1], axis.edges[1:]], axis=-1) for axis in (self._x, self._y)))

    @cached_property
    def sample_points(self) -> Floats:
        """Where RoI Align reads the map, (PH, PW, ry, rx, 2)."""
        return np.stack(_cross(self._x.points, self._y.points), axis=-1)

    @cached_property
    def tap_indices(self) -> Ints:
        """The four cells that each point is interpolated from, row by row, (PH, PW, ry, rx, 4, 2)."""
        x, y = _cross(self._x.tap_index, self._y.tap_index)
        return np.stack([x, y], axis=-1).reshape(*x.shape[:4], 4, 2)

    @cached_property
    def tap_weights(self) -> Floats:
        """The weight of each of the four cells, (PH, PW, ry, rx, 4); all 0 where the point is too far off the map."""
        x, y = _cross(self._x.tap_weight, self._y.tap_weight)
        weights: Floats = (x * y).reshape(*x.shape[:4], 4)
        return weights

    @cached_property
    def sample_cells(self) -> Ints:
        """The number of points inside each cell, (H, W)."""
        return np.outer(self._y.point_count, self._x.point_count)

    @cached_property
    def aligned_weight(self) -> Floats:
        """The weight that RoI Align gives each cell, `tap_weights` summed over all points, (H, W)."""
        return np.outer(self._y.weight, self._x.weight)

    @cached_property
    def roi_area(self) -> float:
        """Area of the whole box in cells, any part off the map included; 0 for an inverted box."""
        return float(np.prod(np.maximum([axis.mapped[1] - axis.mapped[0] for axis in (self._x, self._y)], 0.0)))

    @cached_property
    def loss_area(self) -> float:
        """Area of the box, on the map, that RoI pooling leaves out."""
        return float(self.loss_mask.sum())

    @cached_property
    def gain_area(self) -> float:
        """Area outside the box that RoI pooling takes in."""
        return float(self.gain_mask.sum())

    @cached_property
    def first_loss_area(self) -> float:
        """Area of the box, on the map, that the first rounding leaves out."""
        return float(self.box_cells[~self.quantised_cells].sum())

    @cached_property
    def first_gain_area(self) -> float:
        """Area outside the box, on the map, that the first rounding takes in."""
        return float((1.0 - self.box_cells)[self.quantised_cells].sum())

    @cached_property
    def second_loss_area(self) -> float:
        """Area of the box that the first rounding kept and that is in no bin.

        Bins may pass the quantised box, so `loss_area` can be less than the two losses together.
        """
        return float(self.box_cells[self.quantised_cells & ~self.pooled_cells].sum())

    @cached_property
    def loss_mask(self) -> Floats:
        """The fraction of each cell that `loss_area` counts, (H, W)."""
        return self.box_cells * ~self.pooled_cells

    @cached_property
    def gain_mask(self) -> Floats:
        """The fraction of each cell that `gain_area` counts, (H, W)."""
        return (1.0 - self.box_cells) * self.pooled_cells

    @cached_property
    def box_cells(self) -> Floats:
        """The fraction of each cell inside the exact box, (H, W)."""
        return np.outer(self._y.covered, self._x.covered)

    @cached_property
    def quantised_cells(self) -> Bools:
        """Whether each cell is in the quantised box, (H, W)."""
        return np.logical_and.outer(self._y.kept, self._x.kept)

    @cached_property
    def pooled_cells(self) -> Bools:
        """Whether each cell is in a bin of RoI pooling, (H, W)."""
        return np.logical_and.outer(self._y.used, self._x.used)

    def plot(self, ax: Axes | Sequence[Axes] | None = None, *, values: ArrayLike | None = None) -> Figure:
        """Draw RoI pooling and RoI Align side by side over the map.

        Parameters
        ----------
        ax : Axes or two Axes, optional
            Where to draw: two axes, one that is split in two, or a new figure.
        values : (H, W) array_like, optional
            The map. Its cells are shaded and, where there is room, its values are written into them.

        Returns
        -------
        Figure
            The figure drawn on.

        Raises
        ------
        ImportError
            If matplotlib is missing; ``pip install 'roialign_rs[plot]'`` brings it.
        """
        from roialign_rs._plot import plot_explanation

        return plot_explanation(self, ax, values)

    def __repr__(self) -> str:
        x1, y1, x2, y2 = self.box
        return (
            f"<Explanation of box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) at scale {self.spatial_scale:g}: "
            f"{self.roi_area:.3f} cells, RoI pooling loses {self.loss_area:.3f} and gains {self.gain_area:.3f}>"
        )

    def __str__(self) -> str:
        from roialign_rs._report import report

        return report(self)


def _contains(intervals: Ints, extent: int) -> Bools:
    """Whether each cell of the map is in any of the intervals, (K, 2) to (extent,)."""
    inside = np.zeros(extent, dtype=np.bool_)
    for start, end in intervals.clip(0, extent):
        inside[start:end] = True
    return inside


def _cross(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pair every entry of x with every entry of y: (PW, n, ...) and (PH, m, ...) give two (PH, PW, m, n, ...)."""
    return np.broadcast_arrays(  # type: ignore[return-value]
        np.expand_dims(x, tuple(range(0, 2 * x.ndim, 2))), np.expand_dims(y, tuple(range(1, 2 * y.ndim, 2)))
    )


def _rectangles(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Intervals along x, (..., 2), and along y to rectangles `x1, y1, x2, y2`, (..., 4)."""
    x1, y1 = _cross(x[..., 0], y[..., 0])
    x2, y2 = _cross(x[..., 1], y[..., 1])
    return np.stack([x1, y1, x2, y2], axis=-1)


def _hull(intervals: Ints) -> Ints:
    """Return the smallest interval around all that are not empty; an empty one if all are."""
    taken = intervals[intervals[:, 0] < intervals[:, 1]]
    if len(taken) == 0:
        return intervals[[0, 0], [0, 0]]
    return np.array([taken[:, 0].min(), taken[:, 1].max()])
