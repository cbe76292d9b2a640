"""Literal results of mmcv and Detectron2, which have no wheels to run, from the folder ``ROIALIGN_PARITY_DIR``.

The folder has ``NAME.json``, a list of cases, and ``NAME.npz`` with their arrays. Cases of operators that do not exist
here yet are left out by name, and counted in the report.
"""

import json
import os
from pathlib import Path

import cases
import numpy as np
import pytest
from checks import assert_within, largest_finite
from tolerances import BOUNDS

import roialign_rs as ra

PARAMETERS = {"grid": "sample_points"}
VALUES = {"thirds": "interior"}


def load():
    """Read all cases: (operator, name, case, arrays)."""
    folder = os.environ.get("ROIALIGN_PARITY_DIR")
    found = []
    for path in sorted(Path(folder).glob("*.json")) if folder else []:
        arrays = np.load(path.with_suffix(".npz"))
        found += [(case["op"], case["id"], case, arrays) for case in json.loads(path.read_text(encoding="utf-8"))]
    if folder:
        assert found, f"no cases in ROIALIGN_PARITY_DIR={folder}"
    return found


FOUND = load()
HERE = [row for row in FOUND if row[0] in cases.OPERATORS]
ELSEWHERE = sorted({row[0] for row in FOUND} - set(cases.OPERATORS))


def options_of(case):
    """Keywords of our operator for a case."""
    options = {PARAMETERS.get(name, name): value for name, value in case["params"].items()}
    kind = options.pop("max_semantics", "interp")
    if options.get("mode") == "max" and kind == "corner":
        options["mode"] = "onnx_max"
    return {name: VALUES.get(value, value) if isinstance(value, str) else value for name, value in options.items()}


def array_of(entry, arrays):
    """One input; none of them has another memory layout than the file's."""
    assert set(entry) == {"a"}, f"unknown memory layout {entry}"
    return arrays[entry["a"]]


@pytest.mark.parametrize(("op", "name", "case", "arrays"), HERE, ids=[f"{row[0]}-{row[1]}" for row in HERE])
def test_literal_result(op, name, case, arrays, backend):
    assert case["expect"] == "value"
    inputs = {key: array_of(entry, arrays) for key, entry in case["inputs"].items()}
    expected = {key: arrays[entry] for key, entry in case["outputs"].items()}
    accepted = [expected["output"]] + [arrays[key] for key in case.get("alternatives", [])]
    wants_argmax = "argmax" in expected
    options = options_of(case)
    if wants_argmax:
        options["return_argmax"] = True
    result = getattr(ra, op)(**inputs, **options)
    output, argmax = result if wants_argmax else (result, None)
    assert output.dtype == inputs["features"].dtype
    scale = largest_finite(inputs["features"])
    bound, reason = BOUNDS["literal", inputs["features"].dtype.name]
    limit = min(bound * scale, case["atol"] + case["rtol"] * scale)
    about = f"{op} {name} from {case['origin']}, {options} ({reason})"
    if not any(close(output, values, limit) for values in accepted):
        assert_within(output, accepted[0], limit, about)
    if wants_argmax:
        assert_within(argmax, expected["argmax"], 0, f"argmax of {about}")


def close(actual, expected, limit):
    try:
        assert_within(actual, expected, limit)
    except AssertionError:
        return False
    return True


@pytest.mark.skipif(not FOUND, reason="ROIALIGN_PARITY_DIR is not set")
def test_what_is_left_out(record_property):
    counts = {op: sum(row[0] == op for row in FOUND) for op in ELSEWHERE}
    print(f"{len(HERE)} literal results checked; {sum(counts.values())} left out: {counts}")
    record_property("left_out", counts)
    assert HERE
    # Gradients have their transposed definition in test_backward.py.
    forward = [op for op in ELSEWHERE if not op.endswith(("_backward", "_gradient"))]
    assert not [op for op in forward if hasattr(ra, op)], "an operator that the registry does not have"
