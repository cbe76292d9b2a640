"""What both operators do to one box, in numbers: their rules along each axis, and the products of two axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roialign_rs._axis import Axis, Bools, Cells, Floats, Ints
from roialign_rs._rectangles import area, common, cross, rectangle, rectangles, without
from roialign_rs._settings import Readings, Settings


@dataclass(frozen=True, eq=False, repr=False)
class Footprint:
    """Cells, samples, weights and areas of one box. `Explanation` adds words and a picture."""

    box: tuple[float, float, float, float]
    """The box that was passed, ``x1, y1, x2, y2`` in image pixels."""
    settings: Settings
    """The options of `explain`, by name: ``settings.sampling_ratio`` and so on."""
    _x: Axis
    _y: Axis
    _readings: Readings | None = None

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the output grid: PH, PW."""
        return len(self._y.pooled), len(self._x.pooled)

    @property
    def map_size(self) -> tuple[int, int]:
        """Height and width of the map in cells: H, W."""
        return self._y.extent, self._x.extent

    @cached_property
    def mapped_box(self) -> Floats:
        """The exact box on the map, ``box * spatial_scale``: (4,) array."""
        return rectangles(self._x.mapped, self._y.mapped)

    @cached_property
    def quantised_box(self) -> Ints:
        """The box after RoI pooling has rounded it to whole cells, not clipped to the map: (4,) array of int.

        These are the cells of the single bin of ``output_size=1``, at least one cell along each axis.
        """
        return rectangles(self._x.quantised, self._y.quantised)

    @cached_property
    def pooled_region(self) -> Ints:
        """Smallest rectangle around all cells that RoI pooling uses: (4,) array of int. Its area may be 0."""
        return rectangles(self._x.region, self._y.region)

    @cached_property
    def pooled_bins(self) -> Ints:
        """Cells of each bin of RoI pooling, clipped to the map: (PH, PW, 4) array of int."""
        return rectangles(self._x.pooled, self._y.pooled)

    @cached_property
    def bins(self) -> Floats:
        """Bins of RoI Align: (PH, PW, 4) array. With ``aligned=False`` they are half a cell further, as the samples."""
        return rectangles(*(np.stack([axis.edges[:-1], axis.edges[1:]], axis=-1) for axis in (self._x, self._y)))

    @cached_property
    def sample_points(self) -> Floats:
        """Positions x, y of the samples of RoI Align: (PH, PW, ry, rx, 2) array."""
        return np.stack(cross(self._x.points, self._y.points), axis=-1)

    @cached_property
    def tap_indices(self) -> Ints:
        """Column and row of the four cells of each sample's interpolation: (PH, PW, ry, rx, 4, 2) array of int."""
        x, y = cross(self._x.tap_index, self._y.tap_index)
        return np.stack([x, y], axis=-1).reshape(*x.shape[:4], 4, 2)

    @cached_property
    def tap_weights(self) -> Floats:
        """Weights of these four cells: (PH, PW, ry, rx, 4) array. All 0 for a sample too far off the map to count."""
        x, y = cross(self._x.tap_weight, self._y.tap_weight)
        weights: Floats = (x * y).reshape(*x.shape[:4], 4)
        return weights

    @property
    def features(self) -> NDArray[Any] | None:
        """The feature map that was passed, (H, W), not copied; None without ``features``."""
        return None if self._readings is None else self._readings.features

    @cached_property
    def values(self) -> Floats:
        """Values of the samples of RoI Align: (PH, PW, ry, rx) array. 0 for a sample too far off the map to count.

        Raises an AttributeError if `explain` was called without ``features``.
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
        """The maxima that `roi_pool` returns for the box: (PH, PW) array.

        Raises an AttributeError if `explain` was called without ``features``.
        """
        return self._reading("pooled_values").pooled

    @property
    def aligned_values(self) -> NDArray[Any]:
        """The means that `roi_align` returns for the box: (PH, PW) array.

        Raises an AttributeError if `explain` was called without ``features``.
        """
        return self._reading("aligned_values").aligned

    @property
    def _touched(self) -> Cells:
        """The arrays over cells, cropped to the cells that the box or one of its samples touches."""
        return Cells(self._x, self._y)

    @cached_property
    def sample_cells(self) -> Ints:
        """Number of samples inside each cell: (H, W) array of int."""
        return self._touched.on_map(self._touched.samples)

    @cached_property
    def aligned_weight(self) -> Floats:
        """Weight that RoI Align gives each cell, the sum of `tap_weights` over all samples: (H, W) array."""
        return self._touched.on_map(self._touched.weight)

    @cached_property
    def roi_area(self) -> float:
        """Area of the whole box in cells, including any part off the map. 0 for an inverted box."""
        return area([rectangle(self.mapped_box)])

    @cached_property
    def loss_area(self) -> float:
        """Area of the box that RoI pooling does not use, in cells. Only the part on the map counts."""
        return area(without(self._on_map(self.mapped_box), rectangle(self.pooled_region)))

    @cached_property
    def gain_area(self) -> float:
        """Area outside the box that RoI pooling uses, in cells."""
        return area(without(rectangle(self.pooled_region), rectangle(self.mapped_box)))

    @cached_property
    def first_loss_area(self) -> float:
        """Area of the box, on the map, that is outside `quantised_box`, in cells."""
        return area(without(self._on_map(self.mapped_box), rectangle(self.quantised_box)))

    @cached_property
    def first_gain_area(self) -> float:
        """Area of `quantised_box`, on the map, that is outside the box, in cells."""
        return area(without(self._on_map(self.quantised_box), rectangle(self.mapped_box)))

    @cached_property
    def second_loss_area(self) -> float:
        """Area of the box, on the map, that is inside `quantised_box` and in no bin, in cells.

        ``loss_area <= first_loss_area + second_loss_area``: bins may extend past `quantised_box` and use a part of the
        box that the first rounding left out.
        """
        kept = common(self._on_map(self.mapped_box), rectangle(self.quantised_box))
        return area(without(kept, rectangle(self.pooled_region)))

    @cached_property
    def loss_mask(self) -> Floats:
        """Fraction of each cell that is in the box but not used by RoI pooling, (H, W). Its sum is `loss_area`."""
        return self._touched.on_map(self._touched.box * ~self._touched.pooled)

    @cached_property
    def gain_mask(self) -> Floats:
        """Fraction of each cell that is outside the box but used by RoI pooling, (H, W). Its sum is `gain_area`."""
        return self._touched.on_map((1.0 - self._touched.box) * self._touched.pooled)

    @cached_property
    def box_cells(self) -> Floats:
        """Fraction of each cell that is inside the exact box: (H, W) array."""
        return self._touched.on_map(self._touched.box)

    @cached_property
    def quantised_cells(self) -> Bools:
        """Whether each cell is in `quantised_box`: (H, W) array of bool."""
        return self._touched.on_map(self._touched.quantised)

    @cached_property
    def pooled_cells(self) -> Bools:
        """Whether each cell is in a bin of RoI pooling: (H, W) array of bool."""
        return self._touched.on_map(self._touched.pooled)

    @cached_property
    def off_map_area(self) -> float:
        """Area of the box that is not on the map, in cells."""
        return area(without(rectangle(self.mapped_box), self._map))

    @cached_property
    def is_outside(self) -> bool:
        """Whether no part of the box is on the map."""
        return any(max(axis.mapped) <= 0 or min(axis.mapped) >= axis.extent for axis in (self._x, self._y))

    @property
    def _map(self) -> tuple[float, float, float, float]:
        return 0.0, 0.0, float(self._x.extent), float(self._y.extent)

    def _on_map(self, part: NDArray[Any]) -> tuple[float, float, float, float]:
        return common(rectangle(part), self._map)

    def _reading(self, name: str) -> Readings:
        if self._readings is None:
            message = f"Explanation.{name} needs the feature map: call explain(..., features=...)"
            raise AttributeError(message, name=name, obj=self)
        return self._readings
