"""Every case of the registry agrees with the definition: values, dtype and argmax."""

from dataclasses import replace

import cases
import operators
import pytest
from checks import check

BLOCK = 250


@pytest.mark.parametrize(("op", "first"), cases.blocks(BLOCK))
def test_random_cases_match_the_definition(op, first, backend):
    failures, count = [], 0
    for case in cases.cases(op, first, BLOCK):
        count += 1
        try:
            check(case, backend)
        except Exception as error:
            failures.append((case, error))
    if failures:
        listed = "\n".join(f"{type(error).__name__}: {error}" for _, error in failures[:3])
        ids = " ".join(f"{case.index}" for case, _ in failures[:40])
        pytest.fail(f"{len(failures)} of {count} cases of {op} fail: {ids}\n{listed}", pytrace=False)


def test_the_registry_has_ten_thousand_cases():
    assert sum(row.count for row in operators.OPERATORS.values()) >= 10_000


@pytest.mark.parametrize("op", operators.OPERATORS)
def test_the_mix_has_everything_often_enough(op):
    seen = {}
    for case in cases.cases(op):
        values = {"kind": case.box_kind, "dtypes": (case.features_dtype, case.boxes_dtype), "map": case.shape[2:]}
        values |= {"images": case.shape[0], "channels": case.shape[1], "values": case.values, "boxes": case.boxes}
        for name, value in (values | case.options).items():
            seen[name, value] = seen.get((name, value), 0) + 1
    wanted = {("kind", kind) for kind in cases.BOX_KINDS} | {("map", shape) for shape in cases.SHAPES}
    wanted |= {("dtypes", dtypes) for dtypes in cases.DTYPES} | {("channels", n) for n in cases.CHANNELS}
    wanted |= {(name, value) for name, values in operators.OPERATORS[op].options.items() for value in values}
    rare = {what: seen.get(what, 0) for what in wanted if seen.get(what, 0) < 50}
    assert not rare


LARGE_MAPS = [(3, 4000), (4000, 3), (700, 900), (1, 20000), (20000, 1)]
"""(H, W): long rows, long columns, and maps larger than a cache, which are read in parts."""


def of_every_mode(op, kinds):
    """The first case with each kind of box and each mode."""
    wanted = {(kind, mode.get("mode")) for kind in kinds for mode in operators.OPERATORS[op].modes}
    for case in cases.cases(op):
        this = (case.box_kind, case.options.get("mode"))
        if this in wanted:
            wanted.remove(this)
            yield case
    assert not wanted


@pytest.mark.parametrize("shape", LARGE_MAPS, ids=str)
@pytest.mark.parametrize("op", operators.OPERATORS)
def test_large_maps_match_the_definition(op, shape, backend):
    for case in of_every_mode(op, ("inside", "across", "thin", "huge")):
        # No value occurs twice. Otherwise the first of many equal values would always be near the start of a large bin.
        dtype = "float64" if case.features_dtype == "float64" else "float32"
        distinct = replace(case, values="normal", features_dtype=dtype, shape=(1, 17, *shape), boxes=8)
        check(distinct.using(output_size=(3, 2), sampling_ratio=(3, 2)), backend)


@pytest.mark.parametrize("op", operators.OPERATORS)
def test_many_boxes_match_the_definition(op, backend):
    for index in range(2 * len(cases.BOX_KINDS)):
        case = replace(cases.case(op, index), shape=(3, 33, 50, 60), boxes=150)
        check(case.using(output_size=2, sampling_ratio=2), backend)


@pytest.mark.parametrize("op", operators.with_option("sampling_ratio"))
def test_bins_of_many_samples_match_the_definition(op, backend):
    """Bins whose samples do not fit into one table."""
    for case in of_every_mode(op, ("inside", "across")):
        distinct = replace(case, values="normal", features_dtype="float32", shape=(1, 2, 60, 220), boxes=1)
        check(distinct.using(output_size=(1, 2), sampling_ratio=(40, 90), spatial_scale=1.0), backend)
