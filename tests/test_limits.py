"""Huge boxes, results, maps, and numbers of boxes and samples: time and memory stay small, or there is an error."""

from dataclasses import replace

import cases
import numpy as np
import operators
import pytest
from checks import check
from subprocesses import python

import roialign_rs as ra

every_op = pytest.mark.parametrize("op", operators.OPERATORS)

ONES = np.ones((1, 1, 4, 4))
HUGE = np.array(
    [
        (-1e9, -1e9, 1e9, 1e9),
        (0, 0, 1e9, 1e9),
        (1e9, 1e9, -1e9, -1e9),
        (-1e9, 1, 1e9, 2),
        (1e9, 1e9, 2e9, 2e9),
    ]
)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("real", [np.float32, np.float64])
@every_op
def test_huge_boxes_cost_no_more_than_others(op, real):
    """The time limit is the test: a loop over all samples would take years."""
    features = np.random.default_rng(2).standard_normal((1, 16, 50, 50)).astype(np.float32)
    for case in cases.cases(op, count=40):
        options = case.using(output_size=7, spatial_scale=1.0).options
        output = getattr(ra, op)(features, HUGE.astype(real), **options)
        assert np.isfinite(output).all()
        assert np.abs(output).max() <= np.abs(features).max()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("real", [np.float32, np.float64])
@every_op
def test_boxes_at_the_limit_of_their_dtype(op, real):
    most = np.finfo(real).max
    rows = np.array([(0, 0, most, most), (-most / 4, -most / 4, most / 4, most / 4), (most,) * 4], real)
    for words in operators.OPERATORS[op].variants:
        assert np.isfinite(getattr(ra, op)(ONES, rows, 3, **words)).all()


def test_adaptive_mean_of_a_large_box_is_exact():
    """The box has 2^20 x 2^20 samples, one in each cell. On each axis the six at -1 to 4 are on the map."""
    side = 2.0**20
    output = ra.roi_align(ONES, np.array([[-side / 2, -side / 2, side / 2, side / 2]]), 1)
    np.testing.assert_allclose(output, 36 / side**2, rtol=1e-12)


def test_the_most_samples_match_few():
    """The mean of 65536 x 65536 samples of a plane is its value in the middle of the box."""
    plane = np.arange(8.0) + 10 * np.arange(8.0)[:, None]
    output = ra.roi_align(plane[None, None], np.array([[1.5, 1.5, 5.5, 5.5]]), 1, sampling_ratio=65536)
    np.testing.assert_allclose(output, 33, rtol=1e-12)


def with_argmax(op):
    """Options that make the result as large as it can be."""
    choosing = [mode for mode in operators.OPERATORS[op].modes if operators.OPERATORS[op].has_argmax(mode)]
    return {**choosing[0], "return_argmax": True} if choosing else {}


@every_op
def test_results_that_memory_cannot_hold(op):
    """Results of 10^13 elements and more, in a process whose address space is limited."""
    options = [{}, with_argmax(op)]
    code = f"""
import resource
import numpy as np
import roialign_rs as ra
resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
for size in [(10**7, 10**6), (2**40, 2**40), (2**62, 3)]:
    for options in {options}:
        try:
            ra.{op}(np.ones((1, 1, 4, 4), np.float32), np.ones((1, 4)), size, **options)
        except MemoryError as error:
            print("MemoryError", error)
"""
    assert python(code).count("MemoryError") == 3 * len(options)


@pytest.mark.parametrize("size", [(1, 10**9), (10**9, 1)], ids=str)
@every_op
def test_rows_of_bins_that_memory_cannot_hold(op, size):
    """The result would fit into memory, but not the tables for the bins of a row."""
    with pytest.raises(MemoryError, match="not enough memory for 1000000000 bins along a side of output_size"):
        getattr(ra, op)(ONES, np.ones((1, 4)), size)


@pytest.mark.parametrize(("boxes", "size", "gigabytes"), [(1, (1, 2**24), 1), (10**8, (1, 1), 2)], ids=str)
@every_op
def test_what_is_needed_besides_the_result_is_a_memory_error_too(op, boxes, size, gigabytes):
    """The tables are allocated in a way that reports failure; the ordinary way would end the process."""
    options = with_argmax(op)
    code = f"""
import resource
import numpy as np
import roialign_rs as ra
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + ({gigabytes} << 30)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    rows = np.broadcast_to(np.arange(4.0), ({boxes}, 4))
    ra.{op}(np.ones((1, 1, 4, 4), np.float32), rows, {size}, **{options})
except MemoryError as error:
    print(error)
"""
    assert python(code, ROIALIGN_NUM_THREADS="2").startswith("not enough memory for")


@every_op
def test_a_box_repeated_without_memory(op):
    """More boxes than memory can hold are refused before they are read."""
    boxes = np.broadcast_to(np.ones(4, np.float32), (10**11, 4))
    with pytest.raises(MemoryError):
        getattr(ra, op)(ONES, boxes, 2)
    with pytest.raises(MemoryError):
        getattr(ra, op)(ONES, boxes, 2, batch_indices=np.broadcast_to(np.int64(0), 10**11))


@pytest.mark.parametrize("mode", ["avg", "max", "onnx_max"])
def test_many_samples_of_many_boxes_take_little_memory(mode):
    """A table of all samples would need 4 GB."""
    code = f"""
import resource
import numpy as np
import roialign_rs as ra
features = np.arange(4096, dtype=np.float32).reshape(1, 1, 64, 64)
boxes = np.tile(np.array([[0, 0, 60, 60]], np.float32), (4000, 1))
few = ra.roi_align(features, boxes[:1], 1, sampling_ratio=(1, 65536), mode={mode!r})
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
output = ra.roi_align(features, boxes, 1, sampling_ratio=(1, 65536), mode={mode!r})
print((output == few).all())
"""
    assert python(code, ROIALIGN_NUM_THREADS="2") == "True"


@every_op
def test_more_boxes_than_are_planned_at_once(op):
    """On so wide a map few boxes fit into a plan. One call of many boxes gives the results of many small calls."""
    rng = np.random.default_rng(8)
    features = rng.standard_normal((2, 1, 3, 20_000), np.float32)
    boxes = np.sort(rng.uniform(0, 20_000, (3000, 2, 2)), axis=1)
    boxes[:, :, 1] /= 5000
    boxes = boxes.reshape(-1, 4).astype(np.float32)
    images = rng.integers(0, 2, len(boxes))
    call = getattr(ra, op)
    output = call(features, boxes, (2, 5), batch_indices=images)
    for start in range(0, len(boxes), 40):
        part = slice(start, start + 40)
        alone = call(features, boxes[part], (2, 5), batch_indices=images[part])
        np.testing.assert_array_equal(output[part], alone)


@pytest.mark.parametrize("shape", [(400, 900), (900, 400)], ids=str)
@every_op
def test_boxes_of_one_call_do_not_affect_each_other(op, shape):
    """Boxes of very different sizes follow one another; rows that one leaves in the window must not reach the next."""
    rng = np.random.default_rng(11)
    height, width = shape
    features = rng.standard_normal((1, 1, height, width), np.float32)
    x = np.sort(rng.uniform(0, width, (60, 2)), axis=1)
    y = np.sort(rng.uniform(0, height, (60, 2)), axis=1)
    x[::2] = [0, width - 1]  # whole rows
    x[1::4, 1] = x[1::4, 0] + 20  # narrow
    y[1::4] = [1, height - 2]  # and tall
    boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(np.float32)
    for mode in operators.OPERATORS[op].modes:
        for size in (1, 3):
            together = getattr(ra, op)(features, boxes, size, **mode)
            for row in range(len(boxes)):
                alone = getattr(ra, op)(features, boxes[row : row + 1], size, **mode)
                np.testing.assert_array_equal(together[row], alone[0], err_msg=f"box {row}, {mode}, {size}")


@pytest.mark.parametrize("shape", [(2, 100_000_000), (2, 5_000_000_000), (5_000_000_000, 2)], ids=str)
@every_op
def test_sides_that_hardly_fit(op, shape):
    """A map with strides of 0, which takes no memory: the right result, or an error that names the features."""
    code = f"""
import resource
import numpy as np
import roialign_rs as ra
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
h, w = {shape}
features = np.broadcast_to(np.float32(3), (1, 1, h, w))
box = np.array([[w - 2.0, h - 2.0, w - 1.0, h - 1.0]])
try:
    output = ra.{op}(features, box, 1)
    _, pixels = ra.roi_pool(features, box, 2, return_argmax=True)
    expected = [(h - 2) * w + w - 2, h * w - w - 1, h * w - 2, h * w - 1]
    print((output == 3).all() and pixels.ravel().tolist() == expected)
except (ValueError, MemoryError) as error:
    print("features" in str(error))
"""
    assert python(code) == "True"


LARGE_SIZES = [(14, 14), (1, 300), (300, 1), (17, 40), (56, 56)]


@pytest.mark.parametrize("size", LARGE_SIZES, ids=str)
@every_op
def test_large_output_sizes_match_the_definition(op, size):
    for index in range(7):
        case = cases.case(op, index * (len(cases.BOX_KINDS) + 1))
        check(replace(case, boxes=2).using(output_size=size, sampling_ratio=(1, 2)))


def test_candidates_beyond_32_bits_have_no_argmax():
    """The map repeats one pixel, so it takes no memory. The call fails before a kernel runs."""
    features = np.broadcast_to(np.float32(1), (1, 1, 70_000, 70_000))
    with pytest.raises(ValueError, match=r"boxes\[1\]: return_argmax=True needs at most 4294967295 .* got 4900000000"):
        ra.roi_pool(features, [[0, 0, 9, 9], [0, 0, 69_999, 69_999]], 1, return_argmax=True)
    with pytest.raises(ValueError, match=r"boxes\[0\]: return_argmax=True needs .* got 17179869184"):
        ra.roi_align(ONES, [[0, 0, 2, 2]], 1, sampling_ratio=65_536, mode="onnx_max", return_argmax=True)
    values, argmax = ra.roi_pool(features[..., :9], [[0, 0, 8, 69_999]], 1, return_argmax=True)
    assert (values.item(), argmax.item()) == (1, 0)


def test_boxes_of_any_size_are_pooled():
    features = np.float64([[[[1.0, 2.0], [2.5, 2.0]]]])
    pooled = ra.roi_pool(features, np.float64([[1e-45, -1000, 2, 7]]), (1, 1), spatial_scale=1e10)
    assert pooled.item() == 2.5


def test_images_beyond_32_bits_are_read():
    """The array has 4 GB, but the system allocates only the pages that are touched."""
    images = 2**32 + 1
    features = np.zeros((images, 1, 1, 1), np.uint8)
    features[-1] = 2
    boxes = np.float64([[0, 0, 0, 1, 1], [images - 1, 0, 0, 1, 1]])
    assert ra.roi_align(features, boxes, 1).ravel().tolist() == [0, 2]
    with pytest.raises(ValueError, match="out of range for 4294967297 images"):
        ra.roi_align(features, [[images, 0, 0, 1, 1]], 1)
