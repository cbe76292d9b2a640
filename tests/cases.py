"""The one registry of cases: random, but always the same, and spread evenly over what can vary.

``OPERATORS`` has a row for each operator: which options are varied, and how many cases are drawn. Tests ask for cases
and never name an operator, so that a new row is tested everywhere. To see a case again: ``case("roi_align", 17)``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import backends
import numpy as np
import truth
from oracles.roi_align import roi_align
from oracles.roi_pool import roi_pool

import roialign_rs as ra

SEED = 20240607

SHAPES = ((1, 1), (1, 7), (6, 1), (5, 5), (6, 9), (9, 20), (13, 17), (23, 19))
BOXES = (1, 2, 3, 4, 1, 2, 3, 20)
CHANNELS = (1, 3, 16, 17, 40)
IMAGES = (1, 2, 3)
OUTPUT_SIZES = (1, 2, 3, 7, (2, 3), (3, 2), (1, 5), (4, 1), (7, 7))
SPATIAL_SCALES = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 2.0, 0.3, 1 / 7)
SAMPLING_RATIOS = (0, 1, 2, 3, 4, -1, (2, 0), (0, 3), (1, 4), (3, 2))
DTYPES = tuple((features, boxes) for features in ("float32", "float64", "float16") for boxes in ("float32", "float64"))
DTYPES += (("float32", "float32"),) * 2
VALUES = ("normal", "negative", "whole")
BOX_KINDS = ("inside", "across", "outside", "empty", "inverted", "tiny", "huge", "thin", "whole", "dyadic", "mixed")
"""Where boxes lie on the map. "whole" has sides of whole cells, which is where rounding decides about bins and sample
counts; "dyadic" makes all coordinates and weights of a call exact, on the borders too; "mixed" is any of the others."""

EXACT_OPTIONS = {
    "output_size": (1, 2, 4, (2, 4), (4, 1)),
    "spatial_scale": (1.0, 0.5, 0.25, 0.03125, 2.0),
    "sampling_ratio": (1, 2, 4, (1, 2), (4, 1)),
    "sample_points": ("center",),
}
"""What the options are drawn from instead where boxes are dyadic: powers of two."""


@dataclass(frozen=True)
class Operator:
    """A row of the registry: what an operator is, and what it can do."""

    name: str
    oracle: truth.Oracle
    count: int
    """Cases that are drawn."""
    options: dict[str, tuple]
    """Options of the public function, and the values that cases take."""
    box_gradient: tuple[str, ...] | None = None
    """Options of the gradient for boxes, which is that of the mean; None if there is no such gradient."""
    copying_modes: tuple[str, ...] = ()
    """Modes whose results are unchanged pixels, so that any difference is an error."""
    sparse: dict[str, Any] = field(default_factory=dict)
    """Options with which a box of several cells skips some of its pixels."""
    without_peer: str = ""
    """Why no released library runs beside ours; empty if one does."""

    @property
    def modes(self) -> tuple[dict[str, str], ...]:
        """The option that selects each mode; nothing to select where there is one."""
        return tuple({"mode": mode} for mode in self.options["mode"]) if "mode" in self.options else ({},)

    @property
    def mean(self) -> dict[str, str]:
        """The option that selects the mean."""
        return {"mode": "avg"} if "mode" in self.options else {}

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """Options that are words, with all their values."""
        return {name: values for name, values in self.options.items() if isinstance(values[0], str)}

    @property
    def variants(self) -> list[dict[str, str]]:
        """Every combination of words."""
        return [dict(zip(self.words, values, strict=True)) for values in product(*self.words.values())]

    def has_argmax(self, options: dict[str, Any]) -> bool:
        """Whether results are chosen from candidates. ``options`` must have the mode, if there is one."""
        return "mode" in self.options and options["mode"] != "avg"

    def known(self, **options: Any) -> dict[str, Any]:
        """Those of the options that the operator has."""
        return {name: value for name, value in options.items() if name in self.options}


OPERATORS = {
    row.name: row
    for row in (
        Operator(
            "roi_align",
            roi_align,
            count=6500,
            options={
                "output_size": OUTPUT_SIZES,
                "spatial_scale": SPATIAL_SCALES,
                "sampling_ratio": SAMPLING_RATIOS,
                "aligned": (True, False),
                "mode": ("avg", "max", "onnx_max"),
                "sample_points": ("center", "interior"),
            },
            box_gradient=("spatial_scale", "sampling_ratio", "aligned"),
            sparse={"sampling_ratio": (1, 2)},
        ),
        Operator(
            "roi_pool",
            roi_pool,
            count=3500,
            options={
                "output_size": OUTPUT_SIZES,
                "spatial_scale": SPATIAL_SCALES,
                "mode": ("max", "avg"),
                "quantization": ("caffe", "mmcv", "floor", "truncate"),
            },
            copying_modes=("max",),
            sparse={"quantization": "floor"},
        ),
    )
}


def with_option(name: str) -> list[str]:
    """Names of the operators that have an option."""
    return [row.name for row in OPERATORS.values() if name in row.options]


MODES = [(name, mode) for name, row in OPERATORS.items() for mode in row.modes]
"""(operator, option that selects a mode) of every operator and mode."""

WITH_BOX_GRADIENT = [name for name, row in OPERATORS.items() if row.box_gradient]


@dataclass(frozen=True)
class Case:
    """One call: what it is called with, and how to make the arrays."""

    op: str
    index: int
    shape: tuple[int, int, int, int]
    boxes: int
    box_kind: str
    values: str
    features_dtype: str
    boxes_dtype: str
    options: dict[str, Any]

    @property
    def id(self) -> str:
        """Name for messages."""
        return f"{self.op}-{self.index:05}"

    @property
    def operator(self) -> Operator:
        """The row of the registry."""
        return OPERATORS[self.op]

    @property
    def exact(self) -> bool:
        """Whether all coordinates and weights are exact in float32."""
        return self.box_kind == "dyadic"

    @property
    def has_argmax(self) -> bool:
        """Whether the result is chosen from candidates."""
        return self.operator.has_argmax(self.options)

    def using(self, **options: Any) -> "Case":
        """The same case with other options; those that the operator does not have are left out."""
        return replace(self, options={**self.options, **self.operator.known(**options)})

    def inputs(self) -> dict[str, np.ndarray]:
        """The arrays, by argument name; the same ones each time."""
        rng = np.random.default_rng([SEED, self.index, len(self.op)])
        images = rng.integers(0, self.shape[0], self.boxes)
        return {"features": draw_features(self, rng), "boxes": draw_boxes(self, rng), "batch_indices": images}

    def run(self, backend: str = "cpu", **overrides: Any) -> Any:
        """Call the operator, with some arguments replaced or added."""
        where = backends.arguments(backend)
        return getattr(ra, self.op)(**{**self.inputs(), **self.options, **where, **overrides})

    def gradients(self) -> dict[str, np.ndarray | None]:
        """What the backward pass needs besides boxes: a gradient for the result, and where maxima came from."""
        output, argmax = self.run(return_argmax=True) if self.has_argmax else (self.run(), None)
        rng = np.random.default_rng([SEED, self.index, len(self.op), 2])
        grad_output = rng.standard_normal(output.shape).astype(self.features_dtype)
        return {"grad_output": grad_output, "argmax": argmax}

    def backward_arguments(self, **overrides: Any) -> dict[str, Any]:
        """Keywords of the backward function, with some replaced or added."""
        inputs = self.inputs()
        arguments = {**inputs, **self.options, **self.gradients(), "input_shape": inputs["features"].shape}
        return {k: v for k, v in (arguments | overrides).items() if k not in ("features", "output_size")}

    def run_backward(self, backend: str = "cpu", **overrides: Any) -> np.ndarray:
        """Call the backward function, with some arguments replaced or added."""
        arguments = self.backward_arguments(**{**backends.arguments(backend), **overrides})
        return getattr(ra, f"{self.op}_backward")(**arguments)

    def true_gradient(self, **overrides: Any) -> np.ndarray:
        """What the transpose of the definition gives."""
        return self.operator.oracle.backward(**self.backward_arguments(**overrides))

    def box_gradient_arguments(self, **overrides: Any) -> dict[str, Any]:
        """Keywords of the gradient for boxes, with some replaced or added."""
        rng = np.random.default_rng([SEED, self.index, len(self.op), 3])
        shape = (self.boxes, self.shape[1], *truth.pair(self.options["output_size"]))
        options = {name: self.options[name] for name in self.operator.box_gradient}
        grad_output = rng.standard_normal(shape).astype(self.features_dtype)
        return {"grad_output": grad_output, **self.inputs(), **options, **overrides}

    def run_box_gradient(self, layout: str = "NCHW", **overrides: Any) -> np.ndarray:
        """Call the function that gives gradients for boxes, with some arguments replaced or added.

        They are NCHW: with another layout they are copied to it first.
        """
        arguments = self.box_gradient_arguments(**overrides)
        if layout == "NHWC":
            for name in ("grad_output", "features"):
                arguments[name] = np.ascontiguousarray(np.moveaxis(arguments[name], 1, -1))
        return getattr(ra, f"{self.op}_box_gradient")(**arguments, layout=layout)

    def true_box_gradient(self, **overrides: Any) -> truth.BoxGradient:
        """What the derivative of the definition gives."""
        return self.operator.oracle.box_gradient(**self.box_gradient_arguments(**overrides))

    def truth(self, **overrides: Any) -> truth.Pooled:
        """What the definition gives."""
        return self.operator.oracle.forward(**{**self.inputs(), **self.options, **overrides})

    def __str__(self) -> str:
        """Everything about the case, ready to be pasted."""
        n, c, h, w = self.shape
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return (
            f"{self.id}: features ({n}, {c}, {h}, {w}) {self.features_dtype} ({self.values}), "
            f"{self.boxes} boxes {self.boxes_dtype} ({self.box_kind})\n"
            f"    import cases; case = cases.case({self.op!r}, {self.index}); inputs = case.inputs()\n"
            f"    roialign_rs.{self.op}(**inputs, {options})"
        )


def case(op: str, index: int) -> Case:
    """Draw a case; the kind of box goes round with the index, all else is random."""
    rng = np.random.default_rng([SEED, index, len(op), 1])
    box_kind = BOX_KINDS[index % len(BOX_KINDS)]

    def one_of(choices):
        return choices[rng.integers(len(choices))]

    options = {}
    for name, choices in OPERATORS[op].options.items():
        options[name] = one_of(EXACT_OPTIONS.get(name, choices) if box_kind == "dyadic" else choices)
    features_dtype, boxes_dtype = one_of(DTYPES)
    return Case(
        op=op,
        index=index,
        shape=(one_of(IMAGES), one_of(CHANNELS), *one_of(SHAPES)),
        boxes=one_of(BOXES),
        box_kind=box_kind,
        values=one_of(VALUES),
        features_dtype=features_dtype,
        boxes_dtype=boxes_dtype,
        options=options,
    )


def cases(op: str, first: int = 0, count: int | None = None) -> Iterator[Case]:
    """Cases of an operator, all of them if not told otherwise."""
    end = OPERATORS[op].count
    yield from (case(op, index) for index in range(first, end if count is None else min(first + count, end)))


def some(op: str, every: int) -> Iterator[Case]:
    """One case in so many; it should share no factor with the number of kinds of boxes."""
    yield from (case(op, index) for index in range(0, OPERATORS[op].count, every))


def blocks(size: int) -> list[tuple[str, int]]:
    """(operator, first index) of each block of so many cases, over the whole registry."""
    return [(row.name, first) for row in OPERATORS.values() for first in range(0, row.count, size)]


def draw_features(case: Case, rng: np.random.Generator) -> np.ndarray:
    """Make a map. Dyadic boxes get whole numbers, so that the whole calculation is exact."""
    if case.values == "whole" or case.exact:
        return rng.integers(-50, 51, case.shape).astype(case.features_dtype)
    values = rng.standard_normal(case.shape, np.float32)
    return (-abs(values) - 0.125 if case.values == "negative" else values).astype(case.features_dtype)


def draw_boxes(case: Case, rng: np.random.Generator) -> np.ndarray:
    """Make boxes in image pixels whose scaled coordinates are of the case's kind."""
    extent = np.array(case.shape[:1:-1], np.float64)
    # A maximum over samples off the map costs the oracle memory, a mean does not.
    reach = 20.0 if case.has_argmax else 1000.0
    rows = [draw_box(case.box_kind, extent, reach, rng) for _ in range(case.boxes)]
    return (np.array(rows) / case.options["spatial_scale"]).astype(case.boxes_dtype)


def draw_box(kind: str, extent: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """One box in cells of a map of this (width, height), x1, y1, x2, y2; a huge one extends to about ``reach``."""
    if kind == "mixed":
        kind = BOX_KINDS[rng.integers(len(BOX_KINDS) - 1)]
    if kind == "dyadic":
        first, last = rng.integers(-6, 2 * extent + 7, (2, 2)) / 2
        return np.array([*first, *last])
    if kind == "whole":
        first = np.floor(rng.uniform(-2, extent))
        return np.array([*first, *(first + rng.integers(0, 60, 2))])
    low, high = np.sort(rng.uniform(0, extent, (2, 2)), axis=0)
    if kind == "across":
        low, high = low - rng.uniform(0, extent) * rng.integers(0, 2, 2), high + rng.uniform(0, extent)
    elif kind == "outside":
        low = low + (2 * extent + 2) * rng.permutation([rng.choice([-1, 1]), rng.integers(-1, 2)])
        high = low + rng.uniform(0, extent)
    elif kind == "empty":
        high = np.where(rng.permutation([True, rng.random() < 0.5]), low, high)
    elif kind == "inverted":
        swap = rng.permutation([True, rng.random() < 0.5])
        low, high = np.where(swap, high, low), np.where(swap, low, high)
    elif kind == "tiny":
        high = low + 10 ** rng.uniform(-4, -0.5, 2)
    elif kind == "huge":
        high = low + rng.uniform(1, 6) * reach
        low = low - rng.uniform(0, 6) * reach
    elif kind == "thin":
        high = low + rng.permutation([rng.uniform(0, 0.5), rng.uniform(10, 30)])
    return np.array([*low, *high])
