"""The memory of a large result is used for the next one, once no array refers to it."""

import gc
import itertools

import numpy as np
import pytest
from subprocesses import python

import roialign_rs as ra

FEATURES = np.random.default_rng(0).standard_normal((1, 64, 20, 20), dtype=np.float32)
BOXES = np.array([[i % 7, i % 5, i % 7 + 9, i % 5 + 8] for i in range(200)], np.float32)


def pooled(scale=1.0):
    """A result of 2.5 MB."""
    return ra.roi_align(FEATURES * np.float32(scale), BOXES, 7)


def test_memory_is_used_again_once_it_is_free():
    first = pooled()
    address, expected = first.ctypes.data, first.copy()
    del first
    gc.collect()
    second = pooled()
    assert second.ctypes.data == address
    np.testing.assert_array_equal(second, expected)


def test_a_view_keeps_its_memory():
    result = pooled()
    address, expected = result.ctypes.data, result[3, 5].copy()
    view = result[3, 5]
    del result
    gc.collect()
    other = pooled(2.0)
    assert other.ctypes.data != address
    np.testing.assert_array_equal(view, expected)


def test_results_that_live_together_do_not_share():
    results = [pooled(scale) for scale in (1.0, 2.0, 4.0)]
    for left, right in itertools.pairwise(results):
        assert not np.shares_memory(left, right)
        np.testing.assert_array_equal(2 * left, right)


def test_large_results_are_ordinary_arrays():
    result = pooled()
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert result.flags.aligned
    result[...] = 0
    assert result.ctypes.data % 64 == 0


@pytest.mark.parametrize("megabytes", ["-1", "1e3", "many", "99999999999999999999999"])
def test_a_wrong_limit_is_an_error(megabytes):
    code = """
import numpy as np, roialign_rs as ra
for boxes in (500, 500, 1):
    try:
        ra.roi_align(np.ones((1, 64, 20, 20), np.float32), np.ones((boxes, 4)), 7)
    except ValueError as error:
        print(error)
"""
    message = "ROIALIGN_RECYCLE_MB must be a number of megabytes, 0 or more, got "
    lines = python(code, ROIALIGN_RECYCLE_MB=megabytes).splitlines()
    assert [line.startswith(message) for line in lines] == [True, True, True]


def test_a_limit_beyond_the_address_space_is_none():
    code = "import numpy as np, roialign_rs as ra; r = ra.roi_align(np.ones((1, 64, 9, 9)), np.ones((99, 4)), 7); del r"
    assert python(code, ROIALIGN_RECYCLE_MB=str(2**44 + 1)) == ""


@pytest.mark.parametrize("megabytes", ["0", "1"])
def test_it_can_be_limited(megabytes):
    code = """
import numpy as np, roialign_rs as ra
def used():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
features = np.ones((1, 256, 20, 20), np.float32)
boxes = np.tile(np.array([1, 1, 9, 9], np.float32), (2000, 1))
result = ra.roi_align(features, boxes, 7)
size = result.nbytes
before = used()
del result
print(before - used() > size // 2)
"""
    assert python(code, ROIALIGN_RECYCLE_MB=megabytes) == "True"
