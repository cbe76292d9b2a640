"""One call, as every library can be asked for it, and how we answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

import roialign_rs as ra
from roialign_rs._bench.workloads import Workload

Array: TypeAlias = NDArray[Any]
Operator: TypeAlias = str
"""A key of `OPERATORS`."""


@dataclass(frozen=True)
class Call:
    """How we are asked for an operator."""

    function: Callable[..., Any]
    #: Options beside those that every row has.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Whether the row's sampling ratio is an option.
    samples: bool = True
    #: Whether it takes a gradient of what is pooled and the shape of the features, instead of features and size.
    is_backward: bool = False


OPERATORS: dict[Operator, Call] = {
    "avg": Call(ra.roi_align),
    "max": Call(ra.roi_align, {"mode": "max"}),
    "onnx_max": Call(ra.roi_align, {"mode": "onnx_max"}),
    "roi_pool": Call(ra.roi_pool, samples=False),
    "backward": Call(ra.roi_align_backward, is_backward=True),
}
"""What can be timed."""


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
        """A gradient of what is pooled, for backward passes."""
        return np.random.default_rng(0).standard_normal(self.pooled_shape, np.float32).astype(self.features.dtype)

    @cached_property
    def call(self) -> Callable[..., Any]:
        """Our function with all arguments but layout and output, so that a short call is timed without its arguments."""
        call, row = OPERATORS[self.op], self.row
        options = {"spatial_scale": row.spatial_scale, **call.options}
        if call.samples:
            options["sampling_ratio"] = row.sampling_ratio
        given, size = (self.grads, self.features.shape) if call.is_backward else (self.features, row.output_size)
        return partial(call.function, given, self.boxes, size, **options)

    def output(self) -> Array:
        """Memory for what is pooled, touched, and wrong wherever nothing is written."""
        return np.full(self.pooled_shape, np.nan, self.features.dtype)


def ours(problem: Problem, *, layout: Literal["NCHW", "NHWC"] = "NCHW", out: Array | None = None) -> Array:
    """Solve it with this package; features must be in the layout."""
    result: Array = problem.call(layout=layout, out=out)
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
