"""Gradients for the boxes: what the arguments may be."""

import layouts
import numpy as np
import pytest

import roialign_rs as ra


def test_forms_of_boxes():
    rng = np.random.default_rng(1)
    features, grad_output = rng.standard_normal((2, 3, 9, 9)), rng.standard_normal((3, 3, 2, 2))
    corners, images = np.array([[1.1, 1.2, 5.3, 6.4], [0.3, 2.1, 7.7, 4.9], [2.2, 2.3, 3.1, 8.8]]), [0, 0, 1]
    plain = ra.roi_align_box_gradient(grad_output, features, corners, batch_indices=images)
    assert plain.shape == (3, 4)
    table = np.column_stack([images, corners])
    with_index = ra.roi_align_box_gradient(grad_output, features, table)
    np.testing.assert_array_equal(with_index, np.column_stack([np.zeros(3), plain]))
    parts = ra.roi_align_box_gradient(grad_output, features, [corners[:2], corners[2:]])
    np.testing.assert_array_equal(parts, plain)
    one_image = ra.roi_align_box_gradient(grad_output[:1], features[:1], corners[:1].astype(np.float16))
    assert one_image.dtype == np.float32
    whole = ra.roi_align_box_gradient(grad_output[:1], features[:1], [[1, 1, 5, 6]])
    assert whole.dtype == np.float64


@pytest.mark.parametrize("arrange", [np.asarray, layouts.channels_last], ids=lambda arrange: arrange.__name__)
@pytest.mark.parametrize("invalid", ["zero", "nan"])
def test_invalid_boxes(invalid, arrange):
    boxes = np.array([[0, 0.1, 0.2, 3, 3], [0, np.nan, 0, 3, 3], [5, 0, 0, 3, 3], [0, 1.1, 1.2, 2, 2]])
    features = arrange(np.random.default_rng(2).standard_normal((1, 40, 4, 4)))
    grad_output = arrange(np.ones((4, 40, 2, 2)))
    gradient = ra.roi_align_box_gradient(grad_output, features, boxes, invalid=invalid)
    expected = ra.roi_align_box_gradient(arrange(np.ones((2, 40, 2, 2))), features, boxes[[0, 3]])
    np.testing.assert_array_equal(gradient[[0, 3]], expected)
    np.testing.assert_array_equal(gradient[1:3, 1:], 0.0 if invalid == "zero" else np.nan)
    with pytest.raises(ValueError, match=r"boxes\[1\]"):
        ra.roi_align_box_gradient(grad_output, features, boxes)


def test_nothing_to_do():
    features = np.ones((2, 3, 4, 5), np.float32)
    none = ra.roi_align_box_gradient(np.ones((0, 3, 2, 2), np.float32), features, np.empty((0, 4), np.float32))
    assert none.shape == (0, 4)
    assert none.dtype == np.float32
    assert ra.roi_align_box_gradient(np.ones((0, 3, 2, 2)), np.ones((2, 3, 0, 5)), np.empty((0, 5))).shape == (0, 5)
    no_channels = ra.roi_align_box_gradient(np.ones((2, 0, 2, 2)), np.ones((1, 0, 4, 5)), np.ones((2, 4)))
    np.testing.assert_array_equal(no_channels, np.zeros((2, 4)))


GRAD, FEATURES, BOXES = np.ones((2, 3, 2, 2)), np.ones((1, 3, 4, 4)), np.array([[0.0, 0, 3, 3], [1, 1, 2, 2]])
WRONG = {
    "boxes": ({"boxes": BOXES[:1]}, r"grad_output: expected shape \(1, 3, 2, 2\), got \(2, 3, 2, 2\)"),
    "channels": ({"features": np.ones((1, 4, 4, 4))}, r"grad_output: expected shape \(2, 4, 2, 2\)"),
    "no pixels": ({"features": np.ones((1, 3, 0, 4))}, "cannot pool 2 boxes"),
    "bins": ({"grad_output": np.ones((2, 3, 0, 2))}, "output_size must be positive"),
    "scale": ({"spatial_scale": 0.0}, "spatial_scale"),
    "out shape": ({"out": np.zeros((2, 5))}, r"out: expected shape \(2, 4\), got \(2, 5\)"),
    "out dtype": ({"out": np.zeros((2, 4), np.float32)}, "out: expected dtype float64, got float32"),
    "out is an input": ({"out": BOXES}, "out shares memory with an input"),
    "out overlaps": ({"out": np.broadcast_to(np.zeros(4), (2, 4))}, "out is read-only"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_wrong_values(change, message):
    arguments = {"grad_output": GRAD, "features": FEATURES, "boxes": BOXES, **change}
    with pytest.raises(ValueError, match=message):
        ra.roi_align_box_gradient(**arguments)


@pytest.mark.parametrize("dtype", ["float32", "int64", ">f8", object])
def test_gradients_have_the_dtype_of_the_result(dtype):
    with pytest.raises(TypeError, match="grad_output"):
        ra.roi_align_box_gradient(GRAD.astype(dtype), FEATURES, BOXES)
