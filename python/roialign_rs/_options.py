"""Keyword arguments of the operators, for their overloads: which result a call has depends on few of them.

Only type checkers and editors read this file.
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
"""What a forward pass returns, when neither the place of the features nor ``return_argmax`` is known."""


class Options(TypedDict, total=False):
    """Those of every operator."""

    batch_indices: ArrayLike | None
    layout: Layout
    invalid: Invalid
    device: Device | None


class AlignOptions(Options, total=False):
    """Those of `roi_align`."""

    spatial_scale: float
    sampling_ratio: Pair
    aligned: bool
    mode: AlignMode
    sample_points: SamplePoints
    out: NDArray[Any] | None


class PoolOptions(Options, total=False):
    """Those of `roi_pool`."""

    spatial_scale: float
    mode: PoolMode
    quantization: Quantization
    out: NDArray[Any] | None


class AlignBackwardOptions(Options, total=False):
    """Those of `roi_align_backward`."""

    spatial_scale: float
    sampling_ratio: Pair
    aligned: bool
    mode: AlignMode
    sample_points: SamplePoints
    argmax: ArrayLike | DeviceArray | None
    accumulate: bool


class PoolBackwardOptions(Options, total=False):
    """Those of `roi_pool_backward`."""

    argmax: ArrayLike | DeviceArray | None
    spatial_scale: float
    mode: PoolMode
    quantization: Quantization
    accumulate: bool


class PyramidOptions(Options, total=False):
    """Those of `multiscale_roi_align` and its gradient."""

    sampling_ratio: Pair
    aligned: bool
    canonical_size: float
    canonical_level: int
    rule: Rule
    stages: ArrayLike | None


class PyramidBackwardOptions(PyramidOptions, total=False):
    """Those of `multiscale_roi_align_backward`."""

    accumulate: bool


Maps: TypeAlias = Sequence[NDArray[Any] | DeviceArray]
"""Gradients of the maps of a pyramid that the caller gives room for."""
