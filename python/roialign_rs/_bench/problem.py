"""One call, as every library can be asked for it, and how we answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

import roialign_rs as ra
from roialign_rs._bench.workloads import Workload

Array: TypeAlias = NDArray[Any]
Operator: TypeAlias = Literal["avg", "max", "onnx_max", "roi_pool"]
"""Modes of ``roi_align``, or ``roi_pool`` with its defaults."""


@dataclass(frozen=True)
class Problem:
    """Features in NCHW, boxes with the image first."""

    op: Operator
    features: Array
    boxes: Array
    output_size: tuple[int, int]
    spatial_scale: float
    sampling_ratio: int

    @classmethod
    def of(cls, workload: Workload, op: Operator = "avg", dtype: type[np.floating[Any]] = np.float32) -> Problem:
        """Make a row of the table into a problem, boxes and features in one dtype."""
        return cls(
            op,
            workload.features().astype(dtype, copy=False),
            workload.boxes().astype(dtype, copy=False),
            workload.output_size,
            workload.spatial_scale,
            workload.sampling_ratio,
        )

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """Shape of the result in NCHW."""
        return (len(self.boxes), self.features.shape[1], *self.output_size)

    def output(self) -> Array:
        """Memory for a result, touched, and wrong wherever nothing is written."""
        return np.full(self.output_shape, np.nan, self.features.dtype)


def ours(problem: Problem, *, layout: Literal["NCHW", "NHWC"] = "NCHW", out: Array | None = None) -> Array:
    """Solve it with this package; features must be in the layout."""
    result: Array
    if problem.op == "roi_pool":
        result = ra.roi_pool(
            problem.features,
            problem.boxes,
            problem.output_size,
            spatial_scale=problem.spatial_scale,
            layout=layout,
            out=out,
        )
    else:
        result = ra.roi_align(
            problem.features,
            problem.boxes,
            problem.output_size,
            spatial_scale=problem.spatial_scale,
            sampling_ratio=problem.sampling_ratio,
            mode=problem.op,
            layout=layout,
            out=out,
        )
    return result


def check(actual: Array, expected: Array, tolerance: float, what: str) -> None:
    """Raise unless two results are the same up to rounding; features are below 1 in size.

    Raises
    ------
    ValueError
        If they are not: a time for another result means nothing.
    """
    difference = np.abs(actual.astype(np.float64) - expected)
    # Written so that a NaN fails.
    if actual.shape != expected.shape or not difference.max(initial=0.0) <= tolerance:
        where = tuple(map(int, np.unravel_index(difference.argmax(), difference.shape)))
        raise ValueError(
            f"{what}: {actual[where]} at {where}, expected {expected[where]}; they may differ by {tolerance}"
        )
