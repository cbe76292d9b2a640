"""The registry of operators: definition, options, and what each operator can do.

Tests that mean all operators take them from here, so that a new row is tested everywhere.
"""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

from oracles.prroi_pool import prroi_pool
from oracles.roi_align import roi_align
from oracles.roi_pool import roi_pool
from truth import Oracle

OUTPUT_SIZES = (1, 2, 3, 7, (2, 3), (3, 2), (1, 5), (4, 1), (7, 7))
SPATIAL_SCALES = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 2.0, 0.3, 1 / 7)
SAMPLING_RATIOS = (0, 1, 2, 3, 4, -1, (2, 0), (0, 3), (1, 4), (3, 2))


@dataclass(frozen=True)
class Operator:
    """A row of the registry: what an operator is, and what it can do."""

    name: str
    oracle: Oracle
    count: int
    """Cases that are drawn."""
    options: dict[str, tuple]
    """Options of the public function, and the values that cases take."""
    box_gradient: tuple[str, ...] | None = None
    """Options of the gradient for boxes, which is that of the mean; None if there is no such gradient."""
    box_gradient_bound: str = "box gradient"
    """Key of the bound of this gradient in the table of tolerances."""
    copying_modes: tuple[str, ...] = ()
    """Modes whose results are unchanged pixels, so that any difference is an error."""
    sparse: dict[str, Any] = field(default_factory=dict)
    """Options with which a box of several cells skips some of its pixels."""
    fades: bool = False
    """Whether the surface falls to 0 across a cell at the edge of the map, so that boxes there have a gradient."""
    without_peer: str = ""
    """Why no released library runs beside ours; empty if one does."""

    @property
    def modes(self) -> tuple[dict[str, str], ...]:
        """For each mode, the default first, the option that selects it; one empty dictionary if there are no modes."""
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

    def wanting_argmax(self, options: dict[str, Any]) -> dict[str, bool]:
        """The keyword that asks for an argmax, where there is one."""
        return {"return_argmax": True} if self.has_argmax(options) else {}

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
        Operator(
            "prroi_pool",
            prroi_pool,
            count=1500,
            options={"output_size": OUTPUT_SIZES, "spatial_scale": SPATIAL_SCALES},
            box_gradient=("spatial_scale",),
            box_gradient_bound="box gradient of integrals",
            fades=True,
            without_peer="its author's implementation runs on CUDA only, and no released library has another one",
        ),
    )
}


def with_option(name: str) -> list[str]:
    """Names of the operators that have an option."""
    return [row.name for row in OPERATORS.values() if name in row.options]


MODES = [(name, mode) for name, row in OPERATORS.items() for mode in row.modes]
"""(operator, option that selects a mode) of every operator and mode."""

WITH_BOX_GRADIENT = [name for name, row in OPERATORS.items() if row.box_gradient]
