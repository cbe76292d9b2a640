"""Other layouts, views and dtypes, against our own float32 in NCHW and against whoever has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from roialign_bench.goals import Goal, Measurement, ratios
from roialign_bench.session import NODE, Group, Session
from roialign_rs._bench.problem import Array, Problem, check, ours
from roialign_rs._bench.timing import Sampler, wall

ROWS = ("1", "5")
#: Largest difference between a result in a narrow type and the same in float32: half of its last place below 1.
ROUNDING = {"f16": 2.0**-12, "bf16": 2.0**-9}


def measure(session: Session) -> Iterator[Measurement]:
    """One float32 problem in every format."""
    for workload in session.rows(ROWS):
        problem = Problem.of(workload)
        expected = ours(problem)
        samplers = {
            "f32": _checked(problem, expected),
            "NHWC": _nhwc(problem, expected),
            "reversed channels": _view(problem, lambda features: features[:, ::-1]),
            "crop": _view(problem, lambda features: features[:, :, 2:-2, 3:-3]),
            **{name: _narrow(problem, dtype, ROUNDING[name]) for name, dtype in _narrow_types().items()},
            **session.node_samplers(problem, expected),
            **_double(session, Problem.of(workload, dtype=np.float64)),
        }
        yield session.time(workload, samplers)


def _checked(problem: Problem, expected: Array, tolerance: float = 0.0, layout: Any = "NCHW") -> Sampler:
    """Time ours into ``out=``; what is expected has the layout of the problem."""
    out = np.full(expected.shape, np.nan, problem.features.dtype)
    check(ours(problem, layout=layout, out=out), expected, tolerance, f"{problem.features.dtype} {layout}")
    return wall(lambda: ours(problem, layout=layout, out=out))


def _nhwc(problem: Problem, expected: Array) -> Sampler:
    features = np.ascontiguousarray(problem.features.transpose(0, 2, 3, 1))
    return _checked(replace(problem, features=features), expected.transpose(0, 2, 3, 1), layout="NHWC")


def _view(problem: Problem, view: Callable[[Array], Array]) -> Sampler:
    """A view of exactly the problem's features, in memory that is a little larger or in another order."""
    # As large a base as the view needs: found by viewing numbers of pixels.
    n, c, height, width = problem.features.shape
    _, _, rows, columns = view(np.empty((1, c, height, width), bool)).shape
    base = np.zeros((n, c, 2 * height - rows, 2 * width - columns), problem.features.dtype)
    features = view(base)
    features[:] = problem.features
    return _checked(replace(problem, features=features), ours(problem))


def _narrow_types() -> dict[str, Any]:
    types: dict[str, Any] = {"f16": np.float16}
    try:
        import ml_dtypes
    except ImportError as error:
        print(f"not measured: bf16: {error}")
    else:
        types["bf16"] = ml_dtypes.bfloat16
    return types


def _narrow(problem: Problem, dtype: Any, tolerance: float) -> Sampler:
    narrow = replace(problem, features=problem.features.astype(dtype))
    widened = replace(problem, features=narrow.features.astype(np.float32))
    return _checked(narrow, ours(widened), tolerance)


def _double(session: Session, problem: Problem) -> dict[str, Sampler]:
    """In float64, ours and the peers'."""
    expected = ours(problem)
    peers = session.peer_samplers(problem, expected)
    return {"f64": _checked(problem, expected), **{f"{name} f64": sampler for name, sampler in peers.items()}}


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Rows 1 and 5; the views on row 1."""
    return [
        Goal("f32 NHWC: OpenVINO's node in a network / ours", 2, 4, ratios(measured, NODE, "NHWC")),
        Goal("f32: NCHW / NHWC", 0.93, 1, ratios(measured, "f32", "NHWC")),
        Goal("f32 / f16", 1, 1.5, ratios(measured, "f32", "f16")),
        Goal("f32 / bf16", 1, 1.5, ratios(measured, "f32", "bf16")),
        Goal("torchvision f64 / f64", 20, 40, ratios(measured, "torchvision f64", "f64")),
        Goal(
            "reversed channels / contiguous",
            1.05,
            1,
            ratios(measured, "reversed channels", "f32", ("1",)),
            at_most=True,
        ),
        Goal("crop / contiguous", 1.05, 1, ratios(measured, "crop", "f32", ("1",)), at_most=True),
    ]


GROUP = Group(
    "mean with out= in NHWC, from views, in float16, bfloat16 and float64, beside float32 in NCHW", measure, goals
)
