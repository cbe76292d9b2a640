"""Boxes that cannot be pooled: the error names the row, or ``invalid`` fills the row."""

import re

import numpy as np
import operators
import pytest

import roialign_rs as ra

IMAGES = 2
FEATURES = np.random.default_rng(4).standard_normal((IMAGES, 17, 8, 9)).astype(np.float32) + 5
GOOD = np.array([[0, 1, 1, 5, 5], [1, 2, 2, 7, 7], [0, 0, 3, 8, 4], [1, 3, 3, 4, 4]], np.float64)
MOST = float(np.finfo(np.float32).max)

KINDS = {
    "nan x1": ({1: np.nan}, "coordinates must be finite, got (NaN, 2, 7, 7)"),
    "nan y2": ({4: np.nan}, "coordinates must be finite, got (2, 2, 7, NaN)"),
    "infinite x2": ({3: np.inf}, "coordinates must be finite, got (2, 2, inf, 7)"),
    "minus infinite y1": ({2: -np.inf}, "coordinates must be finite, got (2, -inf, 7, 7)"),
    "index -1": ({0: -1}, "batch index -1 is out of range for 2 images"),
    "index N": ({0: 2}, "batch index 2 is out of range for 2 images"),
    "index far too large": ({0: 1e30}, "is out of range for 2 images"),
    "index 0.75": ({0: 0.75}, "batch index 0.75 is not an integer"),
    "index 0.7": ({0: 0.7}, "is not an integer"),
    "index 1.0000001": ({0: np.nextafter(np.float32(1), np.float32(2))}, "is not an integer"),
    "index nan": ({0: np.nan}, "batch index NaN is not an integer"),
    "index infinite": ({0: np.inf}, "batch index inf"),
    "extent overflows": ({1: -MOST, 3: MOST}, "overflow the dtype of boxes when multiplied by spatial_scale"),
    "coordinate overflows": ({4: MOST / 2}, "overflow the dtype of boxes when multiplied by spatial_scale"),
}
"""Kind -> ({column: value put into row 1}, what the error says)."""

every_kind = pytest.mark.parametrize("kind", KINDS)
every_op = pytest.mark.parametrize("op", operators.OPERATORS)


def with_one_wrong(kind, dtype=np.float32):
    boxes = GOOD.astype(dtype)
    changes, message = KINDS[kind]
    for column, value in changes.items():
        boxes[1, column] = value
    return boxes, f"boxes[1]: {message}" if message.startswith(("coord", "batch")) else message


def options_of(op):
    """Options of a call in each mode, with a scale at which large coordinates overflow."""
    return [{**mode, "spatial_scale": 4.0} for mode in operators.OPERATORS[op].modes]


@every_kind
@every_op
def test_the_error_names_the_row(op, kind):
    boxes, message = with_one_wrong(kind)
    for options in options_of(op):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            getattr(ra, op)(FEATURES, boxes, 3, **options)
        assert str(caught.value).startswith("boxes[1]: ")
        # check_boxes does not report overflow: it depends on spatial_scale.
        has_hint = str(caught.value).endswith("; roialign_rs.check_boxes reports all such boxes")
        assert has_hint is ("overflow" not in kind)


@pytest.mark.parametrize(("invalid", "fill"), [("zero", 0.0), ("nan", np.nan)])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@every_kind
@every_op
def test_the_row_is_filled_and_the_others_are_computed(op, kind, layout, invalid, fill):
    boxes, _ = with_one_wrong(kind)
    features = np.moveaxis(FEATURES, 1, -1) if layout == "NHWC" else FEATURES
    others = [0, 2, 3]
    for options in options_of(op):
        call = {"layout": layout, **options}
        wants_argmax = operators.OPERATORS[op].wanting_argmax(options)
        result = getattr(ra, op)(features, boxes, 3, invalid=invalid, **wants_argmax, **call)
        output = result[0] if wants_argmax else result
        np.testing.assert_array_equal(output[1], np.full_like(output[1], fill))
        expected = getattr(ra, op)(features, GOOD.astype(np.float32)[others], 3, **call)
        np.testing.assert_array_equal(output[others], expected)
        if wants_argmax:
            assert (result[1][1] == -1).all()
            assert (result[1][others] >= 0).any()


@pytest.mark.parametrize("invalid", ["raise", "zero", "nan"])
@every_op
def test_valid_boxes_are_not_touched(op, invalid):
    output = getattr(ra, op)(FEATURES, GOOD, 3, invalid=invalid)
    np.testing.assert_array_equal(output, getattr(ra, op)(FEATURES, GOOD, 3))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@every_op
def test_all_rows_wrong(op, dtype):
    boxes = np.full((70, 5), np.nan)
    for invalid, fill in [("zero", 0.0), ("nan", np.nan)]:
        output = getattr(ra, op)(FEATURES.astype(dtype), boxes, 3, invalid=invalid)
        assert output.dtype == dtype
        np.testing.assert_array_equal(output, np.full((70, 17, 3, 3), fill))


@every_op
def test_the_first_wrong_row_is_named(op):
    boxes = np.tile(GOOD, (100, 1))
    boxes[317, 2] = np.nan
    boxes[355, 0] = 9
    with pytest.raises(ValueError, match=re.escape("boxes[317]: coordinates must be finite")):
        getattr(ra, op)(FEATURES, boxes, 3)


@every_op
def test_indices_apart_from_the_boxes(op):
    for index in (-1, IMAGES, 10**12, -(2**40)):
        indices = np.array([0, 1, 0, index])
        message = f"boxes[3]: batch index {index} is out of range for {IMAGES} images"
        with pytest.raises(ValueError, match=re.escape(message)):
            getattr(ra, op)(FEATURES, GOOD[:, 1:], 3, batch_indices=indices)
        output = getattr(ra, op)(FEATURES, GOOD[:, 1:], 3, batch_indices=indices, invalid="nan")
        assert np.isnan(output[3]).all()
        assert np.isfinite(output[:3]).all()


@every_op
def test_one_image_is_singular(op):
    with pytest.raises(ValueError, match=r"out of range for 1 image;"):
        getattr(ra, op)(FEATURES[:1], GOOD, 3)


@every_op
def test_what_overflows_in_float32_is_fine_in_float64(op):
    for kind in ("extent overflows", "coordinate overflows"):
        boxes, _ = with_one_wrong(kind, np.float64)
        assert np.isfinite(getattr(ra, op)(FEATURES, boxes, 3, spatial_scale=4.0)).all()


@every_op
def test_empty_and_inverted_boxes_are_valid(op):
    boxes = np.array([[0, 5, 5, 5, 5], [1, 7, 7, 2, 2], [0, 5, 1, 2, 6]], np.float32)
    output = getattr(ra, op)(FEATURES, boxes, 3)
    np.testing.assert_array_equal(output, getattr(ra, op)(FEATURES, boxes, 3, invalid="nan"))
    assert np.isfinite(output).all()
