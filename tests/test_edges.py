"""Edge cases: borders, boxes off the map, NaN and infinity, empty arrays."""

from dataclasses import replace

import cases
import numpy as np
import operators
import pytest
from checks import assert_within, largest_finite
from oracles.roi_pool import roi_pool
from tolerances import BOUNDS, bound_for

import roialign_rs as ra

DTYPES = ("float16", "float32", "float64")
ONES = np.ones((1, 1, 4, 4))


def boxes(*rows, dtype=np.float64):
    return np.array(rows, dtype)


@pytest.mark.parametrize("mode", ["avg", "max", "onnx_max"])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_samples_at_the_limits_count_and_the_next_number_does_not(real, aligned, mode):
    """The limits are -1 and H. A box without area has one sample, whose position the test chooses exactly."""
    shift = real(0.5) if aligned else real(-0.5)
    for place, counts in [
        (real(-1), True),
        (np.nextafter(real(-1), real(-2)), False),
        (real(4), True),
        (np.nextafter(real(4), real(5)), False),
    ]:
        x, y = place + shift, real(1) + shift
        for box in ((x, y, x, y), (y, x, y, x)):
            output = ra.roi_align(ONES, boxes(box, dtype=real), 1, sampling_ratio=1, aligned=aligned, mode=mode)
            assert output.item() == (1.0 if counts else 0.0), (place, box)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["avg", "max", "onnx_max"])
def test_identity_crop_is_bit_for_bit(mode, dtype):
    rng = np.random.default_rng(5)
    features = (rng.standard_normal((2, 19, 9, 13)) * 10.0 ** rng.integers(-3, 4, (2, 19, 9, 13))).astype(dtype)
    if mode == "onnx_max":
        features = abs(features)  # corners without weight are 0 and compete
    box = boxes((2, 1, 13, 8), (0, 0, 13, 9), (5, 5, 6, 6), dtype=np.float32)
    for row, (x1, y1, x2, y2) in enumerate(box.astype(int)):
        size = (int(y2 - y1), int(x2 - x1))
        output = ra.roi_align(features, box[row : row + 1], size, batch_indices=[row % 2], sampling_ratio=1, mode=mode)
        np.testing.assert_array_equal(output[0], features[row % 2, :, y1:y2, x1:x2])


def test_identity_crop_at_another_scale():
    features = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    output = ra.roi_align(features, boxes((16, 32, 96, 112)), (5, 5), spatial_scale=1 / 16, sampling_ratio=0)
    np.testing.assert_array_equal(output[0], features[0, :, 2:7, 1:6])


def test_roi_pool_of_single_cells_is_the_map():
    features = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    for quantization, end in [("caffe", 7), ("mmcv", 7), ("floor", 8), ("truncate", 8)]:
        for mode in ("max", "avg"):
            output = ra.roi_pool(features, boxes((0, 0, end, end)), 8, quantization=quantization, mode=mode)
            np.testing.assert_array_equal(output, features)


@pytest.mark.parametrize("size", [(7, 100), (11, 200), (40, 7), (30, 1)], ids=str)
@pytest.mark.parametrize("mode", ["max", "avg"])
def test_bins_without_pixels_between_others_are_zero(mode, size):
    """More rows of bins than rows of pixels, on maps that are narrower and wider than a window."""
    for width in (12, 400, 20_000):
        features = np.random.default_rng(4).standard_normal((1, 3, 30, width)).astype(np.float32)
        rows = boxes((0, 0, width - 80, 4), (3, 2, width - 9, 7), (1, 2, width, 26), dtype=np.float32)
        options = {"mode": mode, "quantization": "floor"}
        truth = roi_pool.forward(features, rows, size, **options).output
        limit = 0 if mode == "max" else BOUNDS["oracle", "float32"][0] * largest_finite(features)
        assert_within(ra.roi_pool(features, rows, size, **options), truth, limit, f"{width}")


@pytest.mark.parametrize(("op", "mode"), operators.MODES, ids=str)
def test_box_wholly_off_the_map_is_zero(op, mode):
    outside = boxes((-9, -9, -5, -5), (9, 0, 12, 4), (0, 8, 4, 30), (-30, 1, -20, 2))
    assert not getattr(ra, op)(-ONES, outside, 3, **mode).any()


def test_a_sample_off_the_map_is_zero_in_the_maximum():
    """A sample off the map competes as 0, as in mmcv: it wins over negative values, and argmax has its number."""
    for box, number in [((-4, 1, 4, 3), 0), ((0.5, 1, 8.5, 3), 2), ((1, -4, 3, 4), 0), ((1, 0.5, 3, 8.5), 2)]:
        ratio = (1, 4) if box[1] == 1 else (4, 1)
        output, argmax = ra.roi_align(-ONES, boxes(box), 1, sampling_ratio=ratio, mode="max", return_argmax=True)
        assert (output.item(), argmax.item()) == (0.0, number), box
    _, argmax = ra.roi_align(
        -ONES, boxes((0.5, 1, 8.5, 3)), 1, sampling_ratio=(2, 4), mode="onnx_max", return_argmax=True
    )
    assert argmax.item() == 1, "the first corner without weight, of a sample on a pixel centre"


# NaN and infinity.


@pytest.mark.parametrize("op", operators.OPERATORS)
def test_nan_and_infinity_go_where_the_definition_takes_them(op, backend):
    """Results are NaN or infinite exactly where the definition's are: taps of weight 0 are not read."""
    touched = 0
    for index in range(0, 1500, 3):
        case = replace(cases.case(op, index), features_dtype="float64", boxes_dtype="float64")
        features = case.inputs()["features"]
        rng = np.random.default_rng(index)
        for value in (np.nan, np.inf, -np.inf):
            features[rng.random(features.shape) < 0.03] = value
        expected = case.truth(features=features)
        output = case.run(backend, features=features)
        touched += int((~np.isfinite(expected.output)).any())
        assert_within(output, expected.output, bound_for(case)[0] * largest_finite(features), str(case))
    assert touched > 100


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_pixels_without_weight_change_nothing(poison, dtype):
    clean = np.random.default_rng(3).standard_normal((1, 17, 9, 9)).astype(dtype)
    dirty = np.full_like(clean, poison)
    dirty[:, :, 2:7, 3:6] = clean[:, :, 2:7, 3:6]
    # Samples on pixel centres, or between pixels that are not poisoned.
    for box, size, ratio in [((3, 2, 6, 7), (5, 3), 1), ((3.5, 2.5, 5.5, 6.5), 2, 3), ((3, 2, 6, 7), 1, (5, 3))]:
        for mode in ("avg", "max", "onnx_max"):
            options = {"sampling_ratio": ratio, "mode": mode}
            expected = ra.roi_align(clean, boxes(box), size, **options)
            np.testing.assert_array_equal(ra.roi_align(dirty, boxes(box), size, **options), expected)
    for quantization in ("caffe", "mmcv", "floor", "truncate"):
        end = (5, 6) if quantization in ("caffe", "mmcv") else (6, 7)
        for mode in ("avg", "max"):
            options = {"quantization": quantization, "mode": mode}
            expected = ra.roi_pool(clean, boxes((3, 2, *end)), 2, **options)
            np.testing.assert_array_equal(ra.roi_pool(dirty, boxes((3, 2, *end)), 2, **options), expected)


def test_nan_in_the_first_pixel_does_not_leak_into_boxes_off_the_map():
    """torchvision, ONNX Runtime and OpenVINO let it: samples off the map read that pixel with weight 0."""
    features = np.ones((1, 1, 4, 4), np.float32)
    features[0, 0, 0, 0] = np.nan
    outside = boxes((-20, -20, -10, -10), (2.5, 2.5, 9.5, 9.5))
    for mode in ("avg", "max", "onnx_max"):
        assert np.isfinite(ra.roi_align(features, outside, 2, mode=mode)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_roi_pool_skips_nan_and_starts_at_the_lowest_float32(dtype):
    features = np.full((1, 5, 2, 2), np.nan, dtype)
    features[0, 1] = -np.inf
    features[0, 2] = [[np.nan, -3], [np.inf, np.nan]]
    features[0, 3] = [[-np.inf, -7], [np.nan, -7]]
    features[0, 4] = np.nan_to_num(-np.inf, neginf=np.finfo(dtype).min)
    output, argmax = ra.roi_pool(features, boxes((0, 0, 1, 1)), 1, return_argmax=True)
    with np.errstate(over="ignore"):
        lowest = np.float32(np.finfo(np.float32).min).astype(dtype)
    lowest_half = features[0, 4, 0, 0] if dtype == "float16" else lowest
    assert output.ravel().tolist() == [lowest, lowest, np.inf, -7, lowest_half]
    assert argmax.ravel().tolist() == [-1, -1, 2, 1, 0 if dtype == "float16" else -1]


def test_maximum_of_minus_infinity_is_minus_infinity():
    output, argmax = ra.roi_align(-np.inf * ONES, boxes((1, 1, 3, 3)), 1, mode="max", return_argmax=True)
    assert (output.item(), argmax.item()) == (-np.inf, 0)


# Empty arrays.


@pytest.mark.parametrize("op", operators.OPERATORS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_boxes_or_no_channels_give_an_empty_result(op, dtype):
    call = getattr(ra, op)
    none = np.empty((0, 4), np.float32)
    for shape in [(1, 3, 5, 5), (0, 3, 5, 5), (2, 3, 0, 5), (2, 3, 5, 0), (0, 0, 0, 0)]:
        output = call(np.empty(shape, dtype), none, (2, 4), batch_indices=np.empty(0, np.int64))
        assert (output.shape, output.dtype) == ((0, shape[1], 2, 4), dtype)
    output = call(np.empty((1, 0, 5, 5), dtype), boxes((0, 0, 3, 3), (1, 1, 2, 2)), (2, 4))
    assert (output.shape, output.dtype) == ((2, 0, 2, 4), dtype)
    output = call(np.empty((0, 5, 7, 3), dtype), none, 2, layout="NHWC")
    assert output.shape == (0, 2, 2, 3)


@pytest.mark.parametrize("op", operators.OPERATORS)
def test_no_boxes_in_any_form(op):
    features = np.ones((2, 3, 5, 5))
    for none in (np.empty((0, 4)), np.empty((0, 5)), [[], []], [np.empty((0, 4)), np.empty((0, 4), np.float32)]):
        output = getattr(ra, op)(features, none, 2)
        assert output.shape == (0, 3, 2, 2)
    # An empty list is one table, not one list for each image, if there is one image or batch_indices are given.
    for none in ([], (), np.array([]), np.empty((0, 4), int)):
        assert getattr(ra, op)(features[:1], none, 2).shape == (0, 3, 2, 2)
        assert getattr(ra, op)(features, none, 2, batch_indices=[]).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("op", operators.OPERATORS)
def test_no_boxes_into_out(op):
    """NumPy may give an empty array strides of 0, which must not be taken for elements that share memory."""
    out = np.empty((0, 3, 2, 2))
    assert getattr(ra, op)(np.ones((1, 3, 5, 5)), np.empty((0, 4)), 2, out=out) is out


@pytest.mark.parametrize("op", operators.OPERATORS)
@pytest.mark.parametrize("shape", [(0, 3, 5, 5), (2, 3, 0, 5), (2, 3, 5, 0)])
def test_boxes_but_no_pixels_are_an_error(op, shape):
    with pytest.raises(ValueError, match=r"features: cannot pool 1 box.* from an empty array of shape"):
        getattr(ra, op)(np.empty(shape), np.zeros((1, 5)), 2)
