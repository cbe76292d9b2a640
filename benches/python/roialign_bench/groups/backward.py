"""Gradients of ``roi_align``'s mean for its features and for its boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

import roialign_rs as ra
from roialign_bench.goals import Goal, Measurement, Quotient, mean, ratios
from roialign_bench.session import Group, Page, Session
from roialign_rs._bench.compare import copying
from roialign_rs._bench.problem import Array, Problem, check, ours
from roialign_rs._bench.table import markdown, milliseconds
from roialign_rs._bench.timing import Sampler, wall

ROWS = ("1", "3", "4", "5")
#: Of the largest: sums of hundreds of boxes, in float32, in another order.
ROUNDING = 5e-6


def measure(session: Session) -> Iterator[Measurement]:
    """Both gradients in both layouts, beside our own forward pass, a copy of as many bytes, and torchvision."""
    for workload in session.rows(ROWS):
        problem = Problem.of(workload)
        grad, backward = problem.grads, replace(problem, op="backward")
        yield session.time(
            workload,
            {
                **_ours(problem, grad),
                "copy": copying(problem.features.nbytes + grad.nbytes),
                **session.peer_samplers(backward, gradient(problem, grad)),
            },
        )


def _ours(problem: Problem, grad: Array) -> dict[str, Sampler]:
    """Check ours against the same in float64, and give the samplers."""
    wide, wide_grad = problem.features.astype(np.float64), grad.astype(np.float64)
    _check(gradient(problem, grad), gradient(problem, wide_grad), "gradient of features")
    _check(box_gradient(problem, problem.features, grad), box_gradient(problem, wide, wide_grad), "gradient of boxes")
    return {**_in_layout(problem, grad, "NCHW", ""), **_in_layout(problem, grad, "NHWC", "NHWC ")}


def _in_layout(problem: Problem, grad: Array, layout: Literal["NCHW", "NHWC"], name: str) -> dict[str, Sampler]:
    features, grads = _arranged(problem.features, layout), _arranged(grad, layout)
    there = replace(problem, features=features)
    pooled, into, into_boxes = (np.full_like(array, np.nan) for array in (grads, features, problem.boxes))
    expected = _arranged(gradient(problem, grad), layout)
    check(gradient(there, grads, layout=layout, out=into), expected, 0.0, f"{layout} with out=")
    return {
        f"{name}forward": wall(lambda: ours(there, layout=layout, out=pooled)),
        f"{name}features": wall(lambda: gradient(there, grads, layout=layout, out=into)),
        f"{name}boxes": wall(lambda: box_gradient(there, features, grads, layout=layout, out=into_boxes)),
    }


def _arranged(array: Array, layout: str) -> Array:
    return array if layout == "NCHW" else np.ascontiguousarray(array.transpose(0, 2, 3, 1))


def gradient(problem: Problem, grad: Array, **options: Any) -> Array:
    """Ours for the features."""
    result: Array = ra.roi_align_backward(
        grad,
        problem.boxes,
        problem.features.shape,
        spatial_scale=problem.row.spatial_scale,
        sampling_ratio=problem.row.sampling_ratio,
        **options,
    )
    return result


def box_gradient(problem: Problem, features: Array, grad: Array, **options: Any) -> Array:
    """Ours for the boxes."""
    return ra.roi_align_box_gradient(
        grad,
        features,
        problem.boxes,
        spatial_scale=problem.row.spatial_scale,
        sampling_ratio=problem.row.sampling_ratio,
        **options,
    )


def _check(actual: Array, expected: Array, what: str) -> None:
    check(actual, expected, ROUNDING * float(np.abs(expected).max()), what)


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Against torchvision, and against our own forward pass."""
    theirs = ratios(measured, "torchvision", "features")
    return [
        Goal("gradient of features: torchvision / ours", 40, 80, theirs),
        Goal("the same, all rows", 60, 80, mean(theirs)),
        *(
            Goal(
                f"{name}gradient of {which} / forward",
                2,
                aim,
                ratios(measured, name + which, name + "forward"),
                at_most=True,
            )
            for which, aim in (("features", 1.3), ("boxes", 2))
            for name in ("", "NHWC ")
        ),
    ]


def _page(measured: Sequence[Measurement]) -> str:
    """One line for each workload and layout."""
    header = ["workload and layout (ms)", "forward", "gradient of features", "gradient of boxes", "copy"]
    rows = [
        [f"{m.row} {m.summary}, {layout}", *(milliseconds(m.values[name]) for name in (*ours, "copy"))]
        for m in measured
        for layout, ours in (
            ("NCHW", ("forward", "features", "boxes")),
            ("NHWC", ("NHWC forward", "NHWC features", "NHWC boxes")),
        )
    ]
    return markdown(header, rows)


HEADINGS = """\
* layout: the order of axes; in NHWC the channels of a pixel lie beside each other.
* forward, gradient of features, gradient of boxes: milliseconds of `roi_align`, `roi_align_backward` and
  `roi_align_box_gradient`, each into an array given as `out=`.
* copy: milliseconds of one `np.copyto` that reads and writes as many bytes together as features and result have."""
QUOTIENTS = (
    Quotient("torchvision / ours", "torchvision", "features"),
    Quotient("features / forward", "features", "forward"),
    Quotient("boxes / forward", "boxes", "forward"),
    Quotient("features / copy", "features", "copy"),
)
GROUP = Group(
    "gradients of roi_align's mean, float32, all with out=",
    measure,
    goals,
    quotients=QUOTIENTS,
    page=Page("layouts", HEADINGS, _page),
)
