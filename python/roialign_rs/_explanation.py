"""An explanation of one box: two axes, each with what both operators do along it, and the products of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from roialign_rs._axis import Axis, Bools, Cells, Floats, Ints
from roialign_rs._rectangles import area, common, rectangle, without

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from roialign_rs._options import Quantization, SamplePoints


@dataclass(frozen=True)
class Settings:
    """The arguments of `explain` that are options of the operators."""

    spatial_scale: float
    """Cells per image pixel."""
    sampling_ratio: tuple[int, int]
    """Points of RoI Align per bin along y and x, 0 or less for one per cell."""
    aligned: bool
    """Whether RoI Align shifts the box by half a pixel."""
    sample_points: SamplePoints
    """Where the points of RoI Align stand in a bin."""
    quantization: Quantization
    """How RoI pooling rounds."""


@dataclass(frozen=True, eq=False)
class Readings:
    """The map, and what the operators return for the box."""

    features: NDArray[Any]
    pooled: NDArray[Any]
    aligned: NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """One box as RoI pooling and RoI Align see it, made by `explain`.

    Coordinates are feature cells, x before y: cell `i` covers [i, i + 1), its centre is `i + 0.5`, and ends are
    exclusive. Arrays over the map are `(H, W)` and take their memory when they are first asked for; arrays over the
    output grid start with `(PH, PW)`. ``print(explanation)`` tells the story in words and `plot` draws it.
    """

    box: tuple[float, float, float, float]
    """The box as given, `x1, y1, x2, y2` in image pixels."""
    settings: Settings
    """The options as given, by the names that they have in `explain`."""
    _x: Axis
    _y: Axis
    _readings: Readings | None = None

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
        return _rectangles(self._x.region, self._y.region)

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

    @property
    def features(self) -> NDArray[Any] | None:
        """The map as given, (H, W), not copied."""
        return None if self._readings is None else self._readings.features

    @cached_property
    def values(self) -> Floats:
        """What RoI Align reads at its points, (PH, PW, ry, rx); 0 where a point is too far off the map to count.

        Like `pooled_values` and `aligned_values` an AttributeError without ``features=``.
        """
        features = self._reading("values").features
        x, y = np.moveaxis(self.tap_indices, -1, 0)
        # The operators never read a cell without weight, so NaN and infinity there change nothing.
        weighted = np.zeros(x.shape)
        np.multiply(features[y, x].astype(np.float64), self.tap_weights, out=weighted, where=self.tap_weights > 0)
        total: Floats = weighted.sum(axis=-1)
        return total

    @property
    def pooled_values(self) -> NDArray[Any]:
        """What `roi_pool` returns for the box, the largest cell of each bin, (PH, PW)."""
        return self._reading("pooled_values").pooled

    @property
    def aligned_values(self) -> NDArray[Any]:
        """What `roi_align` returns for the box, the mean of the points of each bin, (PH, PW)."""
        return self._reading("aligned_values").aligned

    @property
    def _touched(self) -> Cells:
        """The per-cell arrays, cropped to the cells that the box or a point of it touches."""
        return Cells(self._x, self._y)

    @cached_property
    def sample_cells(self) -> Ints:
        """The number of points inside each cell, (H, W)."""
        return self._touched.on_map(self._touched.samples)

    @cached_property
    def aligned_weight(self) -> Floats:
        """The weight that RoI Align gives each cell, `tap_weights` summed over all points, (H, W)."""
        return self._touched.on_map(self._touched.weight)

    @cached_property
    def roi_area(self) -> float:
        """Area of the whole box in cells, any part off the map included; 0 for an inverted box."""
        return area([rectangle(self.mapped_box)])

    @cached_property
    def loss_area(self) -> float:
        """Area of the box, on the map, that RoI pooling leaves out."""
        return area(without(self._on_map(self.mapped_box), rectangle(self.pooled_region)))

    @cached_property
    def gain_area(self) -> float:
        """Area outside the box that RoI pooling takes in."""
        return area(without(rectangle(self.pooled_region), rectangle(self.mapped_box)))

    @cached_property
    def first_loss_area(self) -> float:
        """Area of the box, on the map, that the first rounding leaves out."""
        return area(without(self._on_map(self.mapped_box), rectangle(self.quantised_box)))

    @cached_property
    def first_gain_area(self) -> float:
        """Area outside the box, on the map, that the first rounding takes in."""
        return area(without(self._on_map(self.quantised_box), rectangle(self.mapped_box)))

    @cached_property
    def second_loss_area(self) -> float:
        """Area of the box that the first rounding kept and that is in no bin.

        Bins may pass the quantised box, so `loss_area` can be less than the two losses together.
        """
        kept = common(self._on_map(self.mapped_box), rectangle(self.quantised_box))
        return area(without(kept, rectangle(self.pooled_region)))

    @cached_property
    def loss_mask(self) -> Floats:
        """The fraction of each cell that `loss_area` counts, (H, W)."""
        return self._touched.on_map(self._touched.box * ~self._touched.pooled)

    @cached_property
    def gain_mask(self) -> Floats:
        """The fraction of each cell that `gain_area` counts, (H, W)."""
        return self._touched.on_map((1.0 - self._touched.box) * self._touched.pooled)

    @cached_property
    def box_cells(self) -> Floats:
        """The fraction of each cell inside the exact box, (H, W)."""
        return self._touched.on_map(self._touched.box)

    @cached_property
    def quantised_cells(self) -> Bools:
        """Whether each cell is in the quantised box, (H, W)."""
        return self._touched.on_map(self._touched.quantised)

    @cached_property
    def pooled_cells(self) -> Bools:
        """Whether each cell is in a bin of RoI pooling, (H, W)."""
        return self._touched.on_map(self._touched.pooled)

    @cached_property
    def off_map_area(self) -> float:
        """Area of the box that is not on the map."""
        return area(without(rectangle(self.mapped_box), self._map))

    @cached_property
    def is_outside(self) -> bool:
        """Whether no part of the box is on the map."""
        return any(max(axis.mapped) <= 0 or min(axis.mapped) >= axis.extent for axis in (self._x, self._y))

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> Figure:
        """Draw RoI pooling and RoI Align side by side over the map.

        With features, their values are written into the cells where there is room.

        Parameters
        ----------
        ax : Axes or two Axes, optional
            Where to draw: two axes, one that is split in two, or a new figure.

        Returns
        -------
        Figure
            The figure drawn on.

        Raises
        ------
        TypeError
            If `ax` is anything else.
        ImportError
            If matplotlib is missing; ``pip install 'roialign_rs[plot]'`` brings it.
        """
        from roialign_rs._plot import plot_explanation

        return plot_explanation(self, ax)

    def __repr__(self) -> str:
        x1, y1, x2, y2 = self.box
        return (
            f"<Explanation of box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) at scale {self.settings.spatial_scale:g}: "
            f"{self.roi_area:.3f} cells, RoI pooling loses {self.loss_area:.3f} and gains {self.gain_area:.3f}>"
        )

    def __str__(self) -> str:
        from roialign_rs._report import report

        return report(self)

    @property
    def _map(self) -> tuple[float, float, float, float]:
        return 0.0, 0.0, float(self._x.extent), float(self._y.extent)

    def _on_map(self, part: NDArray[Any]) -> tuple[float, float, float, float]:
        return common(rectangle(part), self._map)

    def _reading(self, name: str) -> Readings:
        if self._readings is None:
            raise AttributeError(f"Explanation.{name} needs the map: explain(..., features=...)", name=name, obj=self)
        return self._readings


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
