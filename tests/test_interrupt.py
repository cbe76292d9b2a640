"""Ctrl-C ends a long call; calls on other threads, and short ones, know nothing of signals."""

import sys

import pytest
from subprocesses import python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in the way of POSIX")

SETUP = """
import os, signal, threading, time
import numpy as np, roialign_rs as ra

BOXES = np.repeat(np.float32([[0, 0, 60, 60]]), 1000, 0)
FEATURES = np.ones((1, 32, 64, 64), np.float32)
GRADS = np.broadcast_to(np.float32(1), (1000, 32, 7, 7))

def forward():
    return ra.roi_align(FEATURES, BOXES, 7, sampling_ratio=600, mode="max")

def mean():
    huge = np.broadcast_to(np.float32(1), (1, 1 << 22, 64, 64))
    return ra.roi_align_box_gradient(np.broadcast_to(np.float32(1), (1, 1 << 22, 7, 7)), huge, BOXES[:1])

def backward():
    everywhere = np.broadcast_to(np.float32(1), (200_000, 1024, 7, 7))
    return ra.roi_align_backward(everywhere, np.repeat(BOXES, 200, 0), (1, 1024, 64, 64))

def later(seconds, number=signal.SIGINT):
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()
"""


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("call", ["forward", "mean", "backward"])
def test_ctrl_c_ends_a_long_call(call, threads):
    code = f"""{SETUP}
later(0.5)
try:
    {call}()
except KeyboardInterrupt:
    print("interrupted")
print(ra.roi_align(FEATURES, BOXES[:1], 1).max())
"""
    assert python(code, ROIALIGN_NUM_THREADS=threads).split() == ["interrupted", "1.0"]


def test_a_handler_that_returns_ends_nothing():
    code = f"""{SETUP}
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append("seen"))
later(0.1, signal.SIGUSR1)
start = time.monotonic()
while time.monotonic() - start < 1:
    ra.roi_align(FEATURES, BOXES[:50], 7, sampling_ratio=60, mode="max")
print(*seen)
"""
    assert python(code) == "seen"


def test_the_handlers_own_error_is_raised():
    code = f"""{SETUP}
def handler(*_):
    raise TimeoutError("enough")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    forward()
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
