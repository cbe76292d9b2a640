"""Any number of threads gives the same bits, also for calls from other threads and in forked children."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cases
import numpy as np
import operators
import pytest
from subprocesses import python

import roialign_rs as ra

OPS = list(operators.OPERATORS)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def large_cases(op, count=6):
    """Cases whose results are worth several threads, with boxes of all kinds."""
    for index in range(count):
        case = cases.case(op, cases.BOX_KINDS.index("mixed") + index * len(cases.BOX_KINDS))
        yield replace(case, shape=(3, 40, 30, 31), boxes=200).using(output_size=(5, 7), sampling_ratio=2)


@pytest.mark.parametrize("op", OPS)
def test_any_number_of_threads_gives_the_same_bits(op, thread_count):
    for case in large_cases(op, 12):
        results = []
        for count in (1, 2, 7):
            thread_count(count)
            assert ra.get_num_threads() == count
            results.append(case.run(**case.operator.wanting_argmax(case.options)))
        for result in results[1:]:
            np.testing.assert_equal(result, results[0], err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_thirty_two_threads_at_once(op, thread_count):
    thread_count(3)
    todo = [*large_cases(op, 4), *(cases.case(op, index) for index in range(0, 1000, 37))]
    expected = [case.run() for case in todo]
    start = threading.Barrier(32)

    def work(_):
        start.wait()
        return [case.run() for case in todo]

    with ThreadPoolExecutor(32) as pool:
        for results in pool.map(work, range(32)):
            for case, result, truth in zip(todo, results, expected, strict=True):
                np.testing.assert_array_equal(result, truth, err_msg=str(case))


def test_the_number_of_threads_may_change_during_calls(thread_count):
    case = next(iter(large_cases("roi_align")))
    expected = case.run()
    stop = threading.Event()

    def change():
        while not stop.is_set():
            for count in (1, 2, 5, 3):
                ra.set_num_threads(count)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            for result in pool.map(lambda _: case.run(), range(60)):
                np.testing.assert_array_equal(result, expected)
    finally:
        stop.set()
        changer.join()


def long_call():
    """A function without arguments whose call takes at least a fifth of a second."""
    features = np.random.default_rng(0).standard_normal((1, 64, 64, 64), np.float32)
    rows = 20
    while True:
        boxes = np.tile(np.array([[1.0, 1, 60, 60]], np.float32), (rows, 1))

        def call(boxes=boxes):
            return ra.roi_align(features, boxes, 7, sampling_ratio=16, mode="max")

        start = time.perf_counter()
        call()
        if time.perf_counter() - start > 0.2:
            return call
        rows *= 2


@pytest.mark.parametrize("threads", [1, 2])
def test_other_python_threads_run_during_a_call(threads, thread_count):
    """Another thread ticks during the middle half of the call, which it could not if the call held the GIL."""
    thread_count(threads)
    call = long_call()
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.perf_counter()
    call()
    end = time.perf_counter()
    stop.set()
    ticker.join()
    quarter = (end - start) / 4
    assert sum(start + quarter < tick < end - quarter for tick in ticks) > 3


def pooled(code):
    """``code``, after the start of a program that defines a call on several threads."""
    return POOLED_CALL + code


POOLED_CALL = """
import os, sys, warnings
import numpy as np
import roialign_rs as ra
warnings.simplefilter("ignore")
ra.set_num_threads(3)
features = np.random.default_rng(0).standard_normal((2, 40, 30, 30), np.float32)
boxes = np.tile(np.array([[0, 1, 1, 20, 20], [1, 3, 3, 29, 17]], np.float32), (100, 1))
call = lambda: ra.roi_align(features, boxes, 7)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_call_in_a_forked_child():
    """The parent's threads do not exist in the child, which must not wait for them; nor in the child's child."""
    code = pooled("""
expected = call()
def child(depth):
    pid = os.fork()
    if pid == 0:
        same = all(np.array_equal(call(), expected) for _ in range(3))
        os._exit(0 if same and (depth == 0 or child(depth - 1) == 0) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
statuses = [child(1) for _ in range(3)]
assert np.array_equal(call(), expected)
print(statuses)
""")
    assert python(code, timeout=60) == "[0, 0, 0]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_during_calls_of_other_threads():
    code = pooled("""
import threading
expected = call()
stop = threading.Event()
def work():
    while not stop.is_set():
        call()
workers = [threading.Thread(target=work) for _ in range(3)]
for worker in workers:
    worker.start()
statuses = []
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if np.array_equal(call(), expected) else 1)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
for worker in workers:
    worker.join()
print(sum(statuses))
""")
    assert python(code, timeout=60) == "0"


@linux
def test_threads_are_kept_from_call_to_call():
    """After calls of all sizes, no call starts another thread."""
    code = pooled("""
ra.set_num_threads(7)
def threads():
    return set(os.listdir("/proc/self/task"))
for count in (200, 100, 20, 5, 1):
    ra.roi_align(features, boxes[:count], 7)
before = threads()
for count in (1, 200, 5, 100, 20, 1, 50, 200):
    ra.roi_align(features, boxes[:count], 7)
print(len(threads() - before))
""")
    assert python(code) == "0"


@linux
def test_small_calls_start_no_thread():
    code = """
import os
import numpy as np
import roialign_rs as ra
before = set(os.listdir("/proc/self/task"))
ra.roi_align(np.ones((1, 3, 8, 8)), np.ones((2, 4)), 7)
print(len(set(os.listdir("/proc/self/task")) - before))
"""
    assert python(code, ROIALIGN_NUM_THREADS="4") == "0"


@pytest.mark.parametrize("count", [0, -1, 1025, 10**30])
def test_a_number_of_threads_out_of_bounds(count):
    with pytest.raises(ValueError, match=r"^n must be an integer between 1 and 1024, got "):
        ra.set_num_threads(count)


def test_the_environment_sets_the_number_of_threads():
    assert python("import roialign_rs as ra; print(ra.get_num_threads())", ROIALIGN_NUM_THREADS="5") == "5"
    code = "import roialign_rs as ra; ra.set_num_threads(2); print(ra.get_num_threads())"
    assert python(code, ROIALIGN_NUM_THREADS="5") == "2"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_the_default_is_what_affinity_allows():
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import roialign_rs as ra
print(ra.get_num_threads())
"""
    assert python(code) == "1"


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "99999999999999999999"])
def test_a_wrong_number_in_the_environment(value):
    code = """
import numpy as np
import roialign_rs as ra
for use in (ra.get_num_threads, lambda: ra.roi_align(np.ones((1, 1, 4, 4)), np.ones((1, 4)), 2)):
    for _ in range(2):
        try:
            use()
        except ValueError as error:
            print(error)
"""
    lines = python(code, ROIALIGN_NUM_THREADS=value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith("ROIALIGN_NUM_THREADS must be an integer between 1 and 1024") for line in lines)
