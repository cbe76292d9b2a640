"""Ctrl-C ends a long call on the main thread; calls on other threads go on."""

import sys

import backends
import pytest
from subprocesses import python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in the way of POSIX")

SETUP = """
import os, signal, threading, time
import numpy as np, roialign_rs as ra

BOXES = np.repeat(np.float32([[0, 0, 60, 60]]), 1000, 0)
FEATURES = np.ones((1, 32, 64, 64), np.float32)

def unwritten(*shape):
    return np.full(shape, np.nan, np.float32)

def forward():
    out = unwritten(1000, 32, 7, 7)
    yield out
    ra.roi_align(FEATURES, BOXES, 7, sampling_ratio=600, mode="max", out=out)

def long_boxes_after_short_ones():
    features = np.broadcast_to(np.float32(1), (1, 16, 3000, 3000))
    boxes = np.float32([[0, 0, 2, 2]] * 15 + [[0, 0, 3000, 3000]] * 15)
    out = unwritten(30, 16, 1, 1)
    yield out
    ra.roi_align(features, boxes, 1, mode="max", out=out)

def box_gradient():
    huge = np.broadcast_to(np.float32(1), (1, 1 << 23, 64, 64))
    out = unwritten(1, 4)
    yield out
    ra.roi_align_box_gradient(np.broadcast_to(np.float32(1), (1, 1 << 23, 7, 7)), huge, BOXES[:1], out=out)

def backward():
    everywhere = np.broadcast_to(np.float32(1), (200_000, 1024, 7, 7))
    out = unwritten(1, 1024, 64, 64)
    yield out
    ra.roi_align_backward(everywhere, np.repeat(BOXES, 200, 0), out.shape, out=out)

def later(seconds, number=signal.SIGINT):
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()
"""


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("call", ["forward", "long_boxes_after_short_ones", "box_gradient", "backward"])
def test_ctrl_c_ends_a_long_call(call, threads):
    """``out`` begins as NaN. If some is left, the call ended early."""
    code = f"""{SETUP}
run = {call}()
out = next(run)
later(0.5)
try:
    next(run, None)
except KeyboardInterrupt:
    print("interrupted", np.isnan(out).any())
print(ra.roi_align(FEATURES, BOXES[:1], 1).max())
"""
    assert python(code, timeout=300, ROIALIGN_NUM_THREADS=threads).split() == ["interrupted", "True", "1.0"]


def test_a_handler_that_returns_ends_nothing():
    code = f"""{SETUP}
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(np.isnan(out).any()))
out = unwritten(200, 32, 7, 7)
later(0.3, signal.SIGUSR1)
ra.roi_align(FEATURES, BOXES[:200], 7, sampling_ratio=300, mode="max", out=out)
print(*seen, out.min())
"""
    assert python(code).split() == ["True", "1.0"]


@pytest.mark.skipif(backends.gpu_device() is None, reason="no gpu here")
def test_ctrl_c_ends_a_download():
    """After the interrupted download, the array can be downloaded again."""
    code = f"""{SETUP}
device = ra.gpu.Device(allow_cpu=True)
there = device.features(FEATURES)
pooled = ra.roi_align(there, BOXES[:1], 7, sampling_ratio=600, mode="max")
out = unwritten(1, 32, 7, 7)
later(0.5)
try:
    pooled.numpy(out=out)
except KeyboardInterrupt:
    print("interrupted", np.isnan(out).any())
print(pooled.numpy(out=out).min())
"""
    assert python(code, timeout=120).split() == ["interrupted", "True", "1.0"]


def test_the_handlers_own_error_is_raised():
    code = f"""{SETUP}
def handler(*_):
    raise TimeoutError("enough")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.3)
run = forward()
next(run)
try:
    next(run)
except TimeoutError as error:
    print(error)
"""
    assert python(code) == "enough"


def test_calls_on_other_threads_go_on():
    code = f"""{SETUP}
results = []
def long():
    results.append(ra.roi_align(FEATURES, BOXES[:40], 7, sampling_ratio=300, mode="max").shape)
thread = threading.Thread(target=long)
thread.start()
time.sleep(0.3)
try:
    signal.raise_signal(signal.SIGINT)
    thread.join()
except KeyboardInterrupt:
    thread.join()
print(*results)
"""
    assert python(code) == "(40, 32, 7, 7)"
