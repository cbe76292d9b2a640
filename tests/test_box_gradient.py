"""Gradients for the boxes agree with the derivative of the definition, with differences, and with values worked by hand."""

import functools
from dataclasses import replace

import cases
import layouts
import numpy as np
import operators
import pytest
from checks import assert_box_gradient, assert_within, check_box_gradient
from test_threads import large_cases

import roialign_rs as ra

BLOCK = 250
MANY_CHANNELS = 32
"""From this number on, NHWC and NCHW add up channels in different orders."""
OPS = operators.WITH_BOX_GRADIENT
BLOCKS = [(op, first) for op, first in cases.blocks(BLOCK) if op in OPS]


@pytest.mark.parametrize(("op", "first"), BLOCKS)
def test_random_cases_match_the_derivative_of_the_definition(op, first):
    for case in cases.cases(op, first, BLOCK):
        check_box_gradient(case)


@pytest.mark.parametrize("shape", [(3, 4000), (4000, 3), (700, 900), (1, 20000), (20000, 1)], ids=str)
@pytest.mark.parametrize("op", OPS)
def test_large_maps(op, shape):
    """Maps larger than a window, boxes taller than one, and bins of any number of taps."""
    for index in range(len(cases.BOX_KINDS)):
        case = cases.case(op, index)
        if case.box_kind in ("inside", "thin", "across", "huge"):
            for ratio in (2, 0, (2, 0), (0, 2)):
                changed = case.using(output_size=(3, 2), sampling_ratio=ratio)
                check_box_gradient(replace(changed, shape=(1, 17, *shape), boxes=4))


@pytest.mark.parametrize("size", [(40, 70), (300, 2), (2, 300)], ids=str)
@pytest.mark.parametrize("op", OPS)
def test_many_bins(op, size):
    for index in range(len(cases.BOX_KINDS)):
        case = cases.case(op, index)
        check_box_gradient(replace(case, boxes=2).using(output_size=size))


def differences(case, arguments, h):
    """The derivative by central differences of the operator itself."""
    arguments = {**case.options, **arguments}
    grad_output, boxes = arguments.pop("grad_output"), arguments.pop("boxes")
    call = functools.partial(getattr(ra, case.op), **arguments)
    slopes = np.zeros_like(boxes)
    for column in range(4):
        step = np.zeros_like(boxes)
        step[:, column] = h
        high, low = boxes + step, boxes - step
        change = call(boxes=high) - call(boxes=low)
        slopes[:, column] = (change * grad_output).sum(axis=(1, 2, 3)) / (high - low)[:, column]
    return slopes


@pytest.mark.parametrize("kind", ["inside", "across", "inverted", "tiny", "dyadic"])
@pytest.mark.parametrize("op", OPS)
def test_central_differences(op, kind):
    """Boxes near a jump or a kink are left out: there, half the step gives another difference.

    A sample on a pixel's centre, as dyadic boxes have them, is no such kink: the differences are the mean of the slopes
    on both sides, and so is the gradient.
    """
    tested = 0
    for index in range(cases.BOX_KINDS.index(kind), 1500, len(cases.BOX_KINDS)):
        case = replace(cases.case(op, index), features_dtype="float64", boxes_dtype="float64", boxes=12)
        case = case.using(mode="avg", sample_points="center", sampling_ratio=3)
        if kind == "dyadic":
            # A box of one cell that is not aligned has a kink, and its gradient is that of one side.
            case = case.using(sampling_ratio=2, aligned=True)
        arguments = case.box_gradient_arguments()
        boxes, cell = arguments["boxes"], 1 / case.options["spatial_scale"]
        far, near = (differences(case, arguments, step * cell) for step in (2.0**-20, 2.0**-21))
        gradient = case.run_box_gradient()
        limit = 1e-7 * max(np.abs(gradient).max(), 1e-3)
        settled = (np.abs(far - near) < limit / 4).all(axis=1)
        settled &= (boxes[:, 2:] != boxes[:, :2]).all(axis=1)  # a box without area may have a kink
        assert_within(gradient[settled], far[settled], limit, str(case))
        tested += settled.sum()
    assert tested > 300


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("op", OPS)
def test_any_number_of_threads_and_any_call_give_the_same_bits(op, layout, thread_count):
    for case in large_cases(op, 12):
        results = []
        for count in (1, 2, 7, 2):
            thread_count(count)
            results.append(case.run_box_gradient(layout))
        for result in results[1:]:
            np.testing.assert_array_equal(result, results[0], err_msg=str(case))


@pytest.mark.parametrize("arrange", layouts.LAYOUTS, ids=lambda arrange: arrange.__name__)
@pytest.mark.parametrize("op", OPS)
def test_memory_does_not_matter(op, arrange):
    for index in range(0, 400, 7):
        case = cases.case(op, index)
        arguments = case.box_gradient_arguments()
        expected = case.run_box_gradient()
        out = arrange_table(arrange, np.full_like(expected, 7))
        moved = {name: arrange(arguments[name]) for name in ("grad_output", "features")}
        moved["boxes"] = arrange_table(arrange, arguments["boxes"])
        assert case.run_box_gradient(**moved, out=out) is out
        if arrange in (layouts.fortran, layouts.channels_last) and case.shape[1] >= MANY_CHANNELS:
            assert_box_gradient(out, case.true_box_gradient(), case)
        else:
            np.testing.assert_array_equal(out, expected, err_msg=str(case))


def arrange_table(arrange, table):
    """Arrange a table as an array of four axes, which the functions in ``layouts`` take."""
    return arrange(table[:, :, None, None])[:, :, 0, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_array_of_two_with_channels_last(dtype, thread_count):
    """Mixed layouts are computed with pairs of blocks of channels, and have the bits of single blocks."""
    rng = np.random.default_rng(9)
    features = rng.standard_normal((2, 203, 12, 9)).astype(dtype)
    grad_output = rng.standard_normal((20, 203, 3, 4)).astype(dtype)
    boxes = np.sort(rng.uniform(-2, 12, (20, 2, 2)), axis=1).reshape(-1, 4)
    options = {"batch_indices": np.arange(20) % 2, "sampling_ratio": 2}
    expected = ra.roi_align_box_gradient(grad_output, features, boxes, **options)
    for count in (1, 3):
        thread_count(count)
        for pair in ((layouts.channels_last(grad_output), features), (grad_output, layouts.channels_last(features))):
            result = ra.roi_align_box_gradient(*pair, boxes, **options)
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("op", OPS)
def test_few_channels_last(op):
    for index in range(0, 400, 3):
        case = cases.case(op, index)
        if case.shape[1] < MANY_CHANNELS:
            np.testing.assert_array_equal(case.run_box_gradient("NHWC"), case.run_box_gradient(), err_msg=str(case))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint8"])
@pytest.mark.parametrize("op", OPS)
def test_narrow_types_are_computed_in_float32(op, dtype, layout):
    kind = np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype)
    for case in large_cases(op, 6):
        arguments = case.box_gradient_arguments()
        features = (np.abs(arguments["features"]) * 20).astype(kind)
        grad_output = arguments["grad_output"].astype("float32" if dtype == "uint8" else kind)
        result = case.run_box_gradient(layout, features=features, grad_output=grad_output)
        wide = {"features": features.astype(np.float32), "grad_output": grad_output.astype(np.float32)}
        np.testing.assert_array_equal(result, case.run_box_gradient(layout, **wide), err_msg=str(case))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("op", OPS)
def test_pixels_that_no_sample_reads_change_nothing(op, value, layout):
    for case in cases.cases(op, 0, 700):
        case = replace(case, features_dtype="float32")
        features = case.inputs()["features"]
        reads = case.true_box_gradient().reads[:, None]
        result = case.run_box_gradient(layout, features=np.where(reads, features, np.float32(value)))
        np.testing.assert_array_equal(result, case.run_box_gradient(layout), err_msg=str(case))


@pytest.mark.parametrize("arrange", [np.asarray, layouts.channels_last], ids=lambda arrange: arrange.__name__)
def test_nan_that_a_sample_reads_is_not_lost(arrange):
    features = arrange(np.ones((1, 40, 8, 8)))
    features[0, 33, 3, 3] = np.nan
    grad_output = arrange(np.ones((2, 40, 2, 2)))
    gradient = ra.roi_align_box_gradient(grad_output, features, [[1.3, 1.3, 5.2, 5.2], [5.1, 5.1, 7, 7]])
    assert np.isnan(gradient[0]).all()
    assert not gradient[1].any()


@pytest.mark.parametrize("op", OPS)
def test_a_constant_map_has_no_gradient(op):
    """Past the map's edge samples are 0 and their weights do not move, so boxes across it have no gradient either."""
    for index in range(0, 600, 7):
        case = replace(cases.case(op, index), features_dtype="float64")
        features = np.full(case.shape, 3.5)
        limit = 1e-13 * max(case.true_box_gradient(features=features).terms.max(), 1e-300)
        gradient = case.run_box_gradient(features=features)
        if case.operator.fades:
            inside = np.isclose(case.using(**case.operator.mean).run(features=features), 3.5, 1e-6, 0)
            gradient = gradient[inside.all(axis=(1, 2, 3))]
        assert_within(gradient, np.zeros_like(gradient), limit, str(case))


RAMP = np.arange(64.0).reshape(1, 1, 8, 8)


def gradient_of_ramp(box, bins=1, **options):
    """Gradient on a map that grows by 1 with each column and by 8 with each row."""
    return ra.roi_align_box_gradient(np.ones((1, 1, bins, bins)), RAMP, np.array([box]), **options)[0]


def test_by_hand():
    # The mean moves with the middle of the box: half with each end.
    np.testing.assert_allclose(gradient_of_ramp([1.2, 1.3, 5.1, 5.2], sampling_ratio=2), [0.5, 4, 0.5, 4])
    # Samples at 1/4 and 3/4 of the box move by 3/4 and 1/4 with its first end: by 1 together, and each is in two bins.
    np.testing.assert_allclose(gradient_of_ramp([1.2, 1.3, 5.1, 5.2], 2, sampling_ratio=1), [2, 16, 2, 16])
    # At scale 1/2, moving an end by an image pixel moves it by half a cell.
    scaled = gradient_of_ramp([2.4, 2.6, 10.2, 10.4], sampling_ratio=2, spatial_scale=0.5)
    np.testing.assert_allclose(scaled, [0.25, 2, 0.25, 2])


def test_kinks_as_documented():
    ramp = np.array([0.0, 1, 4, 9, 16]).reshape(1, 1, 1, 5).repeat(2, axis=2)
    grad = np.ones((1, 1, 1, 1))

    def along_x(x1, x2, **options):
        box = np.array([[x1, 0.5, x2, 1.5]])
        gradient = ra.roi_align_box_gradient(grad, ramp, box, sampling_ratio=1, **options)[0]
        return gradient[0], gradient[2]

    # The sample lies on pixel 2: between the slopes 3 and 5.
    assert along_x(2.0, 3.0) == (2.0, 2.0)
    # On the first and the last pixel: between the slope inside and none.
    assert along_x(0.0, 1.0) == (0.25, 0.25)
    assert along_x(4.0, 5.0) == (7 / 4, 7 / 4)
    # Beyond the outermost centres, and off the map.
    assert along_x(-0.4, 0.6) == along_x(4.4, 5.4) == along_x(-2.0, -1.0) == (0.0, 0.0)
    # Widened to one cell, so that only the first end moves it.
    assert along_x(1.25, 1.75, aligned=False) == (3.0, 0.0)
    # A box of one cell is not widened.
    assert along_x(1.25, 2.25, aligned=False) == (1.5, 1.5)


def test_adaptive_takes_the_samples_of_the_forward_pass():
    rng = np.random.default_rng(0)
    features, grad_output = rng.standard_normal((1, 5, 20, 20)), rng.standard_normal((1, 5, 2, 2))
    box = np.array([[1.3, 2.6, 13.1, 9.9]])
    counted = ra.roi_align_box_gradient(grad_output, features, box, sampling_ratio=(4, 6))
    np.testing.assert_array_equal(ra.roi_align_box_gradient(grad_output, features, box), counted)
