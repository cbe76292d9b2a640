"""Types of the keyword arguments of operators, for type checkers and editors.

An overload lists the arguments that decide the type of its result, and takes the others as one of these types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from roialign_rs._args import Pair
from roialign_rs.gpu import Device, DeviceArray

Layout: TypeAlias = Literal["NCHW", "NHWC"]
Invalid: TypeAlias = Literal["raise", "zero", "nan"]
AlignMode: TypeAlias = Literal["avg", "max", "onnx_max"]
SamplePoints: TypeAlias = Literal["center", "interior"]
PoolMode: TypeAlias = Literal["max", "avg"]
Quantization: TypeAlias = Literal["caffe", "mmcv", "floor", "truncate"]
Rule: TypeAlias = Literal["detectron2", "torchvision"]

WithArgmax: TypeAlias = tuple[NDArray[Any], NDArray[np.int64]]
DeviceWithArgmax: TypeAlias = tuple[DeviceArray, DeviceArray]
Pooled: TypeAlias = NDArray[Any] | WithArgmax | DeviceArray | DeviceWithArgmax
"""Result of a forward pass whose arguments do not show in their types which of these it is."""


class Options(TypedDict, total=False):
    """Keyword arguments of every operator."""

    batch_indices: ArrayLike | None
    layout: Layout
    invalid: Invalid
    device: Device | None


class AlignOptions(Options, total=False):
    """Keyword arguments of `roi_align`."""

    spatial_scale: float
    sampling_ratio: Pair
    aligned: bool
    mode: AlignMode
    sample_points: SamplePoints
    out: NDArray[Any] | None


class PoolOptions(Options, total=False):
    """Keyword arguments of `roi_pool`."""

    spatial_scale: float
    mode: PoolMode
    quantization: Quantization
    out: NDArray[Any] | None


class AlignBackwardOptions(Options, total=False):
    """Keyword arguments of `roi_align_backward`."""

    spatial_scale: float
    sampling_ratio: Pair
    aligned: bool
    mode: AlignMode
    sample_points: SamplePoints
    argmax: ArrayLike | DeviceArray | None
    accumulate: bool


class PoolBackwardOptions(Options, total=False):
    """Keyword arguments of `roi_pool_backward`."""

    argmax: ArrayLike | DeviceArray | None
    spatial_scale: float
    mode: PoolMode
    quantization: Quantization
    accumulate: bool


class PyramidOptions(Options, total=False):
    """Keyword arguments of `multiscale_roi_align` and `multiscale_roi_align_backward`."""

    sampling_ratio: Pair
    aligned: bool
    canonical_size: float
    canonical_level: int
    rule: Rule
    stages: ArrayLike | None


class PyramidBackwardOptions(PyramidOptions, total=False):
    """Keyword arguments of `multiscale_roi_align_backward`."""

    accumulate: bool


Maps: TypeAlias = Sequence[NDArray[Any] | DeviceArray]
"""Type of ``out`` of `multiscale_roi_align_backward`: one array for each map."""
