"""Instruction sets: each that this CPU has is really used, matches the definition, and agrees with the others."""

import json
import platform
import re
from pathlib import Path

import pytest
from subprocesses import python

NAMES = ("scalar", "avx2", "avx512", "neon")
FUSED = ("avx2", "avx512", "neon")

CPUINFO = Path("/proc/cpuinfo")
NEEDED = {
    "avx2": {"avx2", "fma", "f16c"},
    "avx512": {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl"},
}
"""Level -> the flags in /proc/cpuinfo that it needs."""

CHECK = """
import hashlib, json
import cases, matrix, operators, roialign_rs as ra
from checks import check, check_box_gradient
digest = hashlib.sha256()
for op in operators.OPERATORS:
    for index in range(0, operators.OPERATORS[op].count, 29):
        case = cases.case(op, index)
        check(case)
        digest.update(case.run().tobytes())
        if operators.OPERATORS[op].box_gradient:
            check_box_gradient(case)
            for layout in ("NCHW", "NHWC"):
                digest.update(case.run_box_gradient(layout).tobytes())
print(ra.simd_level(), json.dumps({"registry": digest.hexdigest(), **matrix.digests()}))
"""


@pytest.fixture(scope="module")
def results():
    """Level -> digests of its results, for every level that runs here. The others must be refused by name."""
    found = {}
    for name in NAMES:
        code = f"""
import roialign_rs as ra
try:
    ra.simd_level()
except ValueError as error:
    print(error)
else:
    exec({CHECK!r})
"""
        first, _, rest = python(code, timeout=240, ROIALIGN_LEVEL=name).partition(" ")
        if first == name:
            found[name] = json.loads(rest)
        else:
            assert first == "ROIALIGN_LEVEL"
            assert f'on this CPU, got "{name}"' in rest
    return found


@pytest.mark.skipif(not CPUINFO.exists(), reason="only Linux tells what a CPU has without asking it as we do")
def test_the_levels_are_those_that_the_cpu_has(results):
    """The fixture has compared each level's results with the definition."""
    flags = set(re.search(r"^(?:flags|Features)\s*:(.*)$", CPUINFO.read_text(), re.MULTILINE)[1].split())
    expected = {"scalar"}
    if platform.machine() in ("x86_64", "AMD64"):
        expected |= {level for level, needed in NEEDED.items() if needed <= flags}
    elif platform.machine() == "aarch64":
        expected.add("neon")
    assert set(results) == expected


def test_levels_with_fused_multiply_add_give_the_same_bits(results):
    first, *others = [results[name] for name in FUSED if name in results] or [{}]
    for other in others:
        assert other == first


def test_the_default_is_one_of_them(results):
    assert python("import roialign_rs as ra; print(ra.simd_level())") in results


@pytest.mark.parametrize("value", ["sse9", "AVX2", "avx2,avx512", "1"])
def test_a_wrong_level_in_the_environment(value):
    code = """
import numpy as np
import roialign_rs as ra
for use in (ra.simd_level, lambda: ra.roi_align(np.ones((1, 1, 4, 4)), np.ones((1, 4)), 2)):
    for _ in range(2):
        try:
            use()
        except ValueError as error:
            print(error)
"""
    lines = python(code, ROIALIGN_LEVEL=value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith("ROIALIGN_LEVEL must be one of scalar") for line in lines)
    assert all(line.endswith(f'on this CPU, got "{value}"') for line in lines)
