"""Memory besides the result: it is bounded, a failed allocation is a MemoryError, and it is given back."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from subprocesses import python

import roialign_rs as ra

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and measured in Linux's way")

RESIDENT = """
import resource
import numpy as np, roialign_rs as ra
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20
def most_resident():
    # Of this program alone: the number that resource gives starts with what the parent had when it forked.
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10
"""


@ON_LINUX
def test_maxima_of_many_samples_take_memory_for_a_few_boxes():
    code = f"""{RESIDENT}
boxes = np.repeat(np.float32([[0, 0, 8, 8]]), 64, 0)
ra.roi_align(np.ones((1, 1, 8, 8), np.float32), boxes, (1, 1000), sampling_ratio=(1, 4096), mode="max")
print(most_resident())
"""
    assert int(python(code)) < 700


@ON_LINUX
def test_boxes_over_a_wide_map_take_memory_for_one_of_them():
    code = f"""{RESIDENT}
boxes = np.repeat(np.float32([[0, 0, 1e7, 1]]), 4, 0)
features = np.ones((1, 1, 1, 10_000_000), np.float32)
pooled = ra.roi_align(features, boxes, 7)
print(most_resident(), np.abs(pooled - 1).max())
"""
    most, error = python(code).split()
    assert int(most) < 900
    # A bin is a sum of 1.4 million weights in float32.
    assert float(error) < 1e-3


@pytest.mark.parametrize("options", [{}, {"mode": "max"}, {"mode": "onnx_max"}], ids=str)
def test_wide_boxes_are_computed_in_parts(options):
    """The box is too wide to be read at once. Each of its bins, as a box of its own, is not."""
    width = 1 << 17
    features = np.random.default_rng(1).standard_normal((1, 3, 2, width)).astype(np.float32)
    whole = ra.roi_align(features, [[0.5, 0, width + 0.5, 2]], (1, 4), sampling_ratio=(2, 1 << 15), **options)
    edges = np.linspace(0.5, width + 0.5, 5)
    parts = [[left, 0, right, 2] for left, right in pairwise(edges)]
    apart = ra.roi_align(features, parts, 1, sampling_ratio=(2, 1 << 15), **options)
    np.testing.assert_array_equal(whole[0, :, 0].T, apart[:, :, 0, 0])


@ON_LINUX
def test_gradients_of_many_small_images_take_memory_for_their_bands():
    code = f"""{RESIDENT}
boxes = np.float32([[7, 0, 0, 1, 1]])
gradient = ra.roi_align_backward(np.ones((1, 1, 1, 1), np.float32), boxes, (10_000_000, 1, 1, 1))
print(most_resident(), gradient.sum(), gradient[7].item())
"""
    most, total, there = python(code).split()
    assert int(most) < 500
    assert total == there == "1.0"


def test_box_gradients_of_more_channels_than_memory():
    """Arrays with strides of 0 can have any number of channels; a list of their channels does not fit into memory."""
    code = """
import numpy as np, roialign_rs as ra
shape = (1, 2**40, 2, 2)
features, grads = (np.broadcast_to(np.float32(1), shape) for _ in range(2))
try:
    ra.roi_align_box_gradient(grads, features, np.float32([[0, 0, 2, 2]]))
except MemoryError as error:
    print(error)
"""
    assert python(code).startswith("not enough memory for ")


@ON_LINUX
@pytest.mark.parametrize("left", [8, 32, 128])
@pytest.mark.parametrize("call", ["forward", "backward", "accumulate", "box_gradient"])
def test_a_limit_on_memory_is_a_memory_error(call, left):
    code = f"""{RESIDENT}
features = np.ones((1, 16, 1, 2_000_000), np.float32)
boxes = np.repeat(np.float32([[0, 0, 2e6, 1]]), 8, 0)
grads = np.ones((8, 16, 1, 7), np.float32)
out = np.empty_like(grads)
calls = {{
    "forward": lambda: ra.roi_align(features, boxes, (1, 7), out=out),
    "backward": lambda: ra.roi_align_backward(grads, boxes, features.shape, out=features),
    "accumulate": lambda: ra.roi_align_backward(grads, boxes, features.shape, out=features, accumulate=True),
    "box_gradient": lambda: ra.roi_align_box_gradient(grads, features, boxes),
}}
ra.roi_align(np.ones((1, 64, 64, 64), np.float32), np.ones((200, 4), np.float32), 7)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + ({left} << 20),) * 2)
try:
    calls[{call!r}]()
    print("done")
except MemoryError as error:
    print("MemoryError")
"""
    assert python(code, ROIALIGN_NUM_THREADS="4") in ("MemoryError", "done")


@ON_LINUX
def test_scratch_of_one_wide_box_is_given_back():
    code = f"""{RESIDENT}
before = resident()
ra.roi_align(np.ones((1, 1, 1, 4_000_000), np.float32), np.float32([[0, 0, 4e6, 1]]), 1)
print(resident() - before)
"""
    assert int(python(code, ROIALIGN_RECYCLE_MB="0")) < 300


def test_released_memory_is_counted_once():
    code = """
import numpy as np, roialign_rs as ra
features, boxes = np.ones((1, 64, 64, 64), np.float32), np.repeat(np.float32([[0, 0, 40, 40]]), 200, 0)
ra.roi_align(features, boxes, 7)
print(ra.release_memory() >= 200 * 64 * 49 * 4, ra.release_memory())
kept = ra.roi_align(features, boxes, 7)
ra.release_memory()
print(np.ptp(kept) < 1e-6)
"""
    assert python(code, ROIALIGN_NUM_THREADS="2").split() == ["True", "0", "True"]
