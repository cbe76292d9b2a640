"""One call, as every library can be asked for it, and how we answer it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

import roialign_rs as ra
from roialign_rs._bench.workloads import Workload

Array: TypeAlias = NDArray[Any]
Operator: TypeAlias = Literal["avg", "max", "onnx_max", "roi_pool", "backward"]
"""Modes of ``roi_align``; ``roi_pool`` with its defaults; the gradient of ``roi_align``'s mean for the features."""


@dataclass(frozen=True)
class Problem:
    """A row of the table and an operator; features in NCHW, boxes with the image first, both of one dtype."""

    row: Workload
    op: Operator
    features: Array
    boxes: Array

    @classmethod
    def of(cls, row: Workload, op: Operator = "avg", dtype: type[np.floating[Any]] = np.float32) -> Problem:
        """Make the arrays of a row."""
        return cls(row, op, row.features().astype(dtype, copy=False), row.boxes().astype(dtype, copy=False))

    @property
    def pooled_shape(self) -> tuple[int, int, int, int]:
        """Shape of what is pooled, in NCHW."""
        return (len(self.boxes), self.features.shape[1], *self.row.output_size)

    @cached_property
    def grads(self) -> Array:
        """A gradient of what is pooled, for "backward"."""
        return np.random.default_rng(0).standard_normal(self.pooled_shape, np.float32).astype(self.features.dtype)

    def output(self) -> Array:
        """Memory for what is pooled, touched, and wrong wherever nothing is written."""
        return np.full(self.pooled_shape, np.nan, self.features.dtype)


def ours(problem: Problem, *, layout: Literal["NCHW", "NHWC"] = "NCHW", out: Array | None = None) -> Array:
    """Solve it with this package; features must be in the layout."""
    features, boxes, size = problem.features, problem.boxes, problem.row.output_size
    options: dict[str, Any] = {"spatial_scale": problem.row.spatial_scale, "layout": layout, "out": out}
    if problem.op != "roi_pool":
        options["sampling_ratio"] = problem.row.sampling_ratio
    result: Array
    if problem.op == "backward":
        result = ra.roi_align_backward(problem.grads, boxes, features.shape, **options)
    elif problem.op == "roi_pool":
        result = ra.roi_pool(features, boxes, size, **options)
    else:
        result = ra.roi_align(features, boxes, size, mode=problem.op, **options)
    return result


def check(actual: Array, expected: Array, tolerance: float, what: str) -> None:
    """Raise a ValueError unless two results are the same up to rounding: a time for another one means nothing."""
    if actual.shape != expected.shape:
        raise ValueError(f"{what}: the result has the shape {actual.shape}, expected {expected.shape}")
    difference = np.abs(actual.astype(np.float64) - expected)
    # Written so that a NaN fails.
    if not difference.max(initial=0.0) <= tolerance:
        where = tuple(map(int, np.unravel_index(difference.argmax(), difference.shape)))
        raise ValueError(f"{what}: {actual[where]} at {where}, expected {expected[where]} +- {tolerance:.1e}")
