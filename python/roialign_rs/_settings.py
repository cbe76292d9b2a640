"""The options of an explanation, and the results of both operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from roialign_rs._options import Quantization, SamplePoints


@dataclass(frozen=True)
class Settings:
    """The options that `explain` was called with."""

    spatial_scale: float
    """Map cells per image pixel."""
    sampling_ratio: tuple[int, int]
    """Samples of RoI Align per bin along y and x. If 0 or less: ``ceil(side of the bin in map cells)``."""
    aligned: bool
    """Whether RoI Align shifts the box by half a map cell."""
    sample_points: SamplePoints
    """Positions of the samples of RoI Align in a bin: "center" or "interior"."""
    quantization: Quantization
    """Rounding rule of RoI pooling: "caffe", "mmcv", "floor" or "truncate"."""


@dataclass(frozen=True, eq=False)
class Readings:
    """The feature map, and the results of both operators for the box."""

    features: NDArray[Any]
    pooled: NDArray[Any]
    aligned: NDArray[Any]
