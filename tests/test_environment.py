"""Environment variables: an empty one counts as unset, and the first call of any function refuses a wrong value."""

import sys

import pytest
from subprocesses import python

NAMES = ["ROIALIGN_NUM_THREADS", "ROIALIGN_LEVEL", "ROIALIGN_RECYCLE_MB"]

CALL = """
import numpy as np
import roialign_rs as ra
features, boxes = np.ones((1, 1, 4, 4)), np.ones((1, 4))
call = {call}
try:
    call()
    print("fine")
except ValueError as error:
    print(error)
"""

CALLS = [
    "lambda: ra.roi_align(features, boxes, 2)",
    "lambda: ra.roi_align(features, boxes, 2, out=np.empty((1, 1, 2, 2)))",
    "lambda: ra.roi_pool_backward(features, boxes, features.shape, mode='avg')",
    "lambda: ra.roi_align_box_gradient(features, features, boxes)",
    "lambda: ra.multiscale_roi_align([features], boxes, 2, spatial_scales=[1])",
]


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("name", NAMES)
def test_empty_is_unset(name, value):
    code = "import roialign_rs as ra; print(ra.get_num_threads(), ra.simd_level(), end=' ')\n"
    assert python(code + CALL.format(call=CALLS[0]), **{name: value}) == python(code + CALL.format(call=CALLS[0]))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ROIALIGN_NUM_THREADS", "many", "ROIALIGN_NUM_THREADS must be an integer between 1 and 1024, got many"),
        ("ROIALIGN_NUM_THREADS", "0", "ROIALIGN_NUM_THREADS must be an integer between 1 and 1024, got 0"),
        ("ROIALIGN_LEVEL", "sse9", "ROIALIGN_LEVEL must be one of "),
        ("ROIALIGN_RECYCLE_MB", "abc", 'ROIALIGN_RECYCLE_MB must be a number of megabytes, 0 or more, got "abc"'),
        ("ROIALIGN_RECYCLE_MB", "-1", 'ROIALIGN_RECYCLE_MB must be a number of megabytes, 0 or more, got "-1"'),
    ],
)
@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_value_is_refused(call, name, value, message):
    assert python(CALL.format(call=call), **{name: value}).startswith(message)


@pytest.mark.skipif(sys.platform == "win32", reason="variables are text there")
@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_is_no_text_is_refused(name):
    assert python(CALL.format(call=CALLS[0]), **{name: "\udcff"}).startswith(f"{name} must be ")
