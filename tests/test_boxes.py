"""All forms of boxes give the same results."""

import functools
from decimal import Decimal
from fractions import Fraction

import numpy as np
import operators
import pytest

import roialign_rs as ra

every_op = pytest.mark.parametrize("op", operators.OPERATORS)
FEATURES = np.random.default_rng(0).standard_normal((2, 3, 40, 40)).astype(np.float32)


@pytest.mark.parametrize("make", [list, tuple, np.array, np.float32], ids=lambda make: make.__name__)
@every_op
def test_one_box(op, make):
    call, box = getattr(ra, op), (3.0, 4.0, 30.0, 21.0)
    expected = call(FEATURES[1:], np.array([make(box)]), 3)
    for result in (
        call(FEATURES[1:], make(box), 3),
        call(FEATURES, make((1.0, *box)), 3),
        call(FEATURES, make(box), 3, batch_indices=[1]),
    ):
        assert result.shape == (1, 3, 3, 3)
        np.testing.assert_array_equal(result, expected)


def test_one_box_in_other_functions():
    box, grad = [3.0, 4.0, 30.0, 21.0], np.ones((1, 3, 2, 2), np.float32)
    rows = operators.OPERATORS.values()
    backward = [functools.partial(getattr(ra, f"{row.name}_backward"), **row.mean) for row in rows]
    box_gradient = [getattr(ra, f"{row.name}_box_gradient") for row in rows if row.box_gradient]
    for call in (
        *(lambda boxes, call=call: call(grad, boxes, (1, 3, 40, 40)) for call in backward),
        *(lambda boxes, call=call: call(grad, FEATURES[:1], boxes) for call in box_gradient),
        lambda boxes: ra.multiscale_roi_align([FEATURES[:1]], boxes, 2, spatial_scales=[1]),
        lambda boxes: ra.assign_stages(boxes, 4, min_level=2),
        lambda boxes: ra.check_boxes(boxes, 40).rows,
    ):
        np.testing.assert_array_equal(call(box), call([box]))


@every_op
def test_an_image_without_boxes_does_not_change_the_dtype(op):
    """The dtype shows: coordinates that are rounded to float32 give other bins than in float64."""
    rng = np.random.default_rng(1)
    start = rng.uniform(0, 20, (200, 2))
    boxes = np.concatenate([start, start + rng.uniform(0, 20, (200, 2))], axis=1).astype(np.float32)
    call = getattr(ra, op)
    for spatial_scale in (1.0, 0.3):
        expected = call(FEATURES[:1], boxes, 3, spatial_scale=spatial_scale)
        for none in ([], (), np.array([]), np.empty((0, 4)), np.empty((0, 4), np.float32)):
            for per_image, features in (([boxes, none], FEATURES), ([none, boxes], FEATURES[::-1])):
                np.testing.assert_array_equal(call(features, per_image, 3, spatial_scale=spatial_scale), expected)


@pytest.mark.parametrize(
    ("per_image", "dtype"),
    [
        ([[], []], np.float64),
        ([np.empty((0, 4), np.float32), []], np.float32),
        ([np.ones((1, 4), np.float32), []], np.float32),
        ([np.ones((1, 4), np.float32), np.ones((1, 4))], np.float64),
    ],
    ids=["nothing", "no boxes", "some boxes", "two dtypes"],
)
def test_dtype_of_boxes_in_lists(per_image, dtype):
    count = sum(map(len, per_image))
    gradient = ra.roi_align_box_gradient(np.ones((count, 3, 1, 1), np.float32), FEATURES, per_image)
    assert (gradient.shape, gradient.dtype) == ((count, 4), dtype)


@pytest.mark.parametrize("kind", [float, int, np.float32, np.int16, Fraction, Decimal], ids=lambda kind: kind.__name__)
@every_op
def test_objects_that_are_numbers(op, kind):
    """A table that also has a column of text gives its numbers as objects."""
    numbers = np.array([[3, 4, 30, 21], [0, 1, 9, 8]])
    boxes = np.array([[kind(int(number)) for number in row] for row in numbers], object)
    call = getattr(ra, op)
    expected = call(FEATURES, numbers, 3, batch_indices=[1, 0])
    np.testing.assert_array_equal(call(FEATURES, boxes, 3, batch_indices=np.array([1, np.int8(0)], object)), expected)


@pytest.mark.parametrize("item", ["3", None, True, 3j, b"3", [3], np.timedelta64(3)], ids=repr)
@every_op
def test_objects_that_are_no_numbers(op, item):
    boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 9]], object)
    boxes[1, 3] = item
    with pytest.raises(TypeError, match=r"boxes: expected real numbers, got .* in an object array"):
        getattr(ra, op)(FEATURES[:1], boxes, 3)
    indices = np.array([0, None], object)
    indices[1] = item
    with pytest.raises(TypeError, match=r"batch_indices: expected integers, got .* in an object array"):
        getattr(ra, op)(FEATURES, np.ones((2, 4)), 3, batch_indices=indices)


@every_op
def test_objects_that_are_too_large(op):
    with pytest.raises(ValueError, match="boxes: "):
        getattr(ra, op)(FEATURES[:1], np.array([[0, 0, 9, 10**400]], object), 3)
    with pytest.raises(ValueError, match="boxes: cannot convert signaling NaN"):
        getattr(ra, op)(FEATURES[:1], np.array([[0, 0, 9, Decimal("sNaN")]], object), 3)
    with pytest.raises(ValueError, match="batch_indices: "):
        getattr(ra, op)(FEATURES, np.ones((1, 4)), 3, batch_indices=np.array([10**30], object))
    with pytest.raises(TypeError, match=r"batch_indices: expected integers, got 0\.5 in an object array"):
        getattr(ra, op)(FEATURES, np.ones((1, 4)), 3, batch_indices=np.array([0.5], object))


@every_op
def test_an_empty_list_of_indices_is_too_short(op):
    with pytest.raises(ValueError, match=r"batch_indices: expected shape \(1,\), got \(0,\)"):
        getattr(ra, op)(FEATURES, np.ones((1, 4)), 3, batch_indices=[])
    assert getattr(ra, op)(FEATURES, [], 3, batch_indices=[]).shape == (0, 3, 3, 3)


@every_op
def test_features_of_objects_stay_refused(op):
    with pytest.raises(TypeError, match="features: dtype object is not supported"):
        getattr(ra, op)(FEATURES.astype(object), np.ones((1, 5)), 3)
