"""Code of the caller that runs during a call and changes the dtype and shape of an argument.

Each call runs in a process of its own, on an array that ends before a page that cannot be read. Kernels that believed
the old dtype and shape would read past the end of the array, which ends the process.
"""

import inspect
import sys

import operators
import pytest
from subprocesses import python

import roialign_rs as ra

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects memory by mprotect")

PREPARE = """
import ctypes, math, mmap
import numpy as np
import roialign_rs as ra

def guarded(shape):
    "Float64 ones before a page that cannot be read."
    size, page = 8 * math.prod(shape), mmap.PAGESIZE
    pages = -(-size // page) * page
    memory = mmap.mmap(-1, pages + page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + pages), ctypes.c_size_t(page), 0) == 0
    array = np.frombuffer(memory, np.float64, math.prod(shape), pages - size).reshape(shape)
    array[...] = 1
    return array

class Hostile:
    "A number that makes an array float32, of this shape, when it is asked for its value."
    def __init__(self, value, array, shape):
        self.value, self.array, self.shape = value, array, shape
    def change(self):
        if self.array.dtype == np.float64:
            self.array.dtype = np.float32
            self.array.shape = self.shape
        return self.value
    def __index__(self):
        return int(self.change())
    def __float__(self):
        return float(self.change())

grads = guarded((64, 2, 8, 8))
boxes = np.array([[0, 0, 9, 9]] * 128, np.float32)
hostile = lambda value: Hostile(value, grads, (128, 2, 8, 8))
features = np.ones((1, 2, 16, 16))
"""

GRADIENTS = {"multiscale_roi_align_backward": ("grads, boxes, [features.shape]", {"spatial_scales": [1.0]})}
"""Function -> its arguments, positional as code and keywords."""
for row in operators.OPERATORS.values():
    GRADIENTS[f"{row.name}_backward"] = ("grads, boxes, features.shape", row.mean)
    if row.box_gradient:
        GRADIENTS[f"{row.name}_box_gradient"] = ("grads, features, boxes", {})

NUMBERS = {
    "spatial_scale": "hostile(1)",
    "spatial_scales": "[hostile(1)]",
    "sampling_ratio": "hostile(2)",
    "aligned": "hostile(1)",
    "accumulate": "hostile(0)",
    "canonical_level": "hostile(4)",
}
"""Argument -> a value that changes the array."""


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (function, name)
        for function in GRADIENTS
        for name in NUMBERS
        if name in inspect.signature(getattr(ra, function)).parameters
    ],
)
def test_a_number_that_changes_an_array(function, name):
    """The array's dtype and shape are read after all numbers are converted."""
    positional, keywords = GRADIENTS[function]
    code = f"""
try:
    result = ra.{function}({positional}, **{keywords} | {{{name!r}: {NUMBERS[name]}}})
    print(result[0].dtype if isinstance(result, list) else result.dtype)
except TypeError as error:
    print(error)
"""
    printed = python(PREPARE + code)
    if function.endswith("box_gradient"):  # it has features, whose dtype must be the same
        assert printed.startswith("grad_output: dtype float32 is not supported; use the dtype of the pooled result")
    else:
        assert printed == "float32"


def test_a_subclass_that_changes_its_dtype_when_memory_is_compared():
    """``np.shares_memory`` would run the subclass's code during the call."""
    printed = python(
        PREPARE
        + """
class Features(np.ndarray):
    def __array_function__(self, function, types, arguments, keywords):
        if self.dtype == np.float64:
            self.dtype = np.float32
        return False

rows = guarded((1, 2, 64, 2, 64))
features, out = rows[..., 1, :].view(Features), rows[:, :, :2, 0, :2]
ra.roi_align(features, np.array([[-0.5, -0.5, 63.5, 63.5]]), 2, aligned=False, out=out)
print(features.dtype, out.min(), out.max())
"""
    )
    assert printed == "float64 1.0 1.0"


def test_a_result_that_a_signal_handler_changes():
    """The kernel writes where ``out`` was when the call began."""
    printed = python(
        PREPARE
        + """
import signal
out = guarded((1, 4))
changed = []
def handler(*_):
    out.dtype = np.int8
    changed.append(out.shape)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
maps, grads = (np.broadcast_to(np.float32(1), (1, 1 << 22, side, side)) for side in (16, 4))
ra.roi_align_box_gradient(grads, maps, np.array([[0.0, 0, 9, 9]]), out=out)
print(*changed, np.isfinite(out.view(np.float64)).all())
"""
    )
    assert printed == "(1, 32) True"
