"""The random cases that tests run operators on, the same ones in every run.

To see one again: ``case("roi_align", 17)``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import backends
import numpy as np
import truth
from drawing import BOX_KINDS, draw_boxes, draw_features
from operators import OPERATORS, Operator

import roialign_rs as ra

SEED = 20240607

SHAPES = ((1, 1), (1, 7), (6, 1), (5, 5), (6, 9), (9, 20), (13, 17), (23, 19))
BOXES = (1, 2, 3, 4, 1, 2, 3, 20)
CHANNELS = (1, 3, 16, 17, 40)
IMAGES = (1, 2, 3)
DTYPES = tuple((features, boxes) for features in ("float32", "float64", "float16") for boxes in ("float32", "float64"))
DTYPES += (("float32", "float32"),) * 2
VALUES = ("normal", "negative", "whole")

EXACT_OPTIONS = {
    "output_size": (1, 2, 4, (2, 4), (4, 1)),
    "spatial_scale": (1.0, 0.5, 0.25, 0.03125, 2.0),
    "sampling_ratio": (1, 2, 4, (1, 2), (4, 1)),
    "sample_points": ("center",),
}
"""What options are drawn from for dyadic boxes: powers of two."""


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
        """Name of the case in messages."""
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

    def gradients(self) -> dict[str, np.ndarray]:
        """What the backward pass needs besides boxes: a gradient for the result, and the argmax of a maximum."""
        output, *argmax = self.run(return_argmax=True) if self.has_argmax else (self.run(),)
        rng = np.random.default_rng([SEED, self.index, len(self.op), 2])
        grad_output = rng.standard_normal(output.shape).astype(self.features_dtype)
        return {"grad_output": grad_output} | ({"argmax": argmax[0]} if argmax else {})

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
        """Call the gradient for boxes, with some arguments replaced or added.

        Arrays are given as NCHW, and copied to ``layout`` before the call.
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
    """Draw a case: the index decides about the kind of box (``index % len(BOX_KINDS)``), all else is random."""
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
    """Cases ``first`` to ``first + count`` of an operator; to the last one if ``count`` is None."""
    end = OPERATORS[op].count
    yield from (case(op, index) for index in range(first, end if count is None else min(first + count, end)))


def some(op: str, every: int) -> Iterator[Case]:
    """One case in ``every``, which should have no factor in common with the number of kinds of boxes."""
    yield from (case(op, index) for index in range(0, OPERATORS[op].count, every))


def blocks(size: int) -> list[tuple[str, int]]:
    """Cut all cases into blocks of ``size``: (operator, first index) of each block."""
    return [(row.name, first) for row in OPERATORS.values() for first in range(0, row.count, size)]
