"""Stored results of mmcv and Detectron2, which have no wheels: see ``data/literal/README.md``."""

import json
from pathlib import Path

import numpy as np
import pytest
from backends import arguments
from checks import assert_within, largest_finite
from tolerances import BOUNDS

import roialign_rs as ra

FOLDER = Path(__file__).parent / "data" / "literal"


def load(library):
    """Read the cases of a library."""
    text = (FOLDER / f"{library}.json").read_text(encoding="utf-8")
    with np.load(FOLDER / f"{library}.npz") as stored:
        arrays = dict(stored)
    for case in json.loads(text):
        for part in ("inputs", "outputs"):
            case[part] = {name: arrays[key] for name, key in case[part].items()}
        yield pytest.param(case, id=f"{library}-{case['op']}-{case['id']}")


@pytest.mark.parametrize("case", [*load("mmcv"), *load("detectron2")])
def test_literal_result(case, backend):
    inputs, expected, options = case["inputs"], case["outputs"], case["options"]
    operator = getattr(ra, case["op"])
    if "argmax" in expected:
        output, argmax = operator(**inputs, **options, return_argmax=True, **arguments(backend))
    else:
        output, argmax = operator(**inputs, **options, **arguments(backend)), None
    dtype = inputs["features"].dtype
    assert output.dtype == dtype
    scale = largest_finite(inputs["features"])
    bound, reason = BOUNDS["literal", dtype.name]
    limit = min(bound * scale, case["atol"] + case["rtol"] * scale)
    about = f"{case['op']} {case['id']} from {case['origin']}, {options} ({reason})"
    assert_within(output, expected["output"], limit, about)
    if argmax is not None:
        assert_within(argmax, expected["argmax"], 0, f"argmax of {about}")
