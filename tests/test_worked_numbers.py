"""Numbers worked by hand, and numbers that other libraries are known to give, on small ramps."""

import numpy as np
import pytest

import roialign_rs as ra

RAMP_5 = np.arange(25.0).reshape(1, 1, 5, 5)
RAMP_10 = np.arange(100.0).reshape(1, 1, 10, 10)
ONES_5 = np.ones((1, 1, 5, 5))


def pooled(op, features, box, **options):
    output = getattr(ra, op)(features, np.array([box], np.float64), 2, **options)
    return output.ravel().tolist()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"aligned": False}, [9, 10, 14, 15]),
        ({"aligned": True}, [6, 7, 11, 12]),
        ({}, [6, 7, 11, 12]),
        ({"mode": "max", "aligned": False}, [10.5, 11.5, 15.5, 16.5]),
        ({"mode": "max"}, [7.5, 8.5, 12.5, 13.5]),
        ({"mode": "onnx_max", "aligned": False}, [6.75, 7.3125, 9.5625, 10.125]),
        ({"mode": "onnx_max"}, [3.375, 3.9375, 6.1875, 6.75]),
    ],
    ids=str,
)
def test_two_cells_of_a_ramp(options, expected):
    assert pooled("roi_align", RAMP_5, (1, 1, 3, 3), sampling_ratio=2, **options) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"mode": "max", "aligned": False}, [-8.5, -9.5, -13.5, -14.5]), ({"mode": "max"}, [-5.5, -6.5, -10.5, -11.5])],
    ids=str,
)
def test_negative_maxima_stay_negative(options, expected):
    """OpenVINO's maximum starts at 0, mmcv's on the CPU at -10000."""
    assert pooled("roi_align", -RAMP_5 - 1, (1, 1, 3, 3), sampling_ratio=2, **options) == expected
    scaled = pooled("roi_align", (-RAMP_5 - 1) * 2**20, (1, 1, 3, 3), sampling_ratio=2, **options)
    assert scaled == [value * 2**20 for value in expected]


def test_negative_weighted_corners():
    output = pooled("roi_align", -RAMP_5 - 1, (1, 1, 3, 3), sampling_ratio=2, aligned=False, mode="onnx_max")
    assert output == [-0.4375, -0.5, -0.75, -0.8125]


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"aligned": False}, [33, 35, 53, 55]), ({"aligned": True}, [27.5, 29.5, 47.5, 49.5])],
    ids=str,
)
def test_four_cells_of_a_ramp_at_half_scale(options, expected):
    box = (4, 4, 12, 12)
    assert pooled("roi_align", RAMP_10, box, spatial_scale=0.5, sampling_ratio=2, **options) == expected


def test_other_shifts_are_other_boxes():
    """The box of OpenVINO's half_pixel, which adds half a pixel before scaling, and of an export that subtracts it twice."""
    options = {"spatial_scale": 0.5, "sampling_ratio": 2}
    assert pooled("roi_align", RAMP_10, (4.5, 4.5, 12.5, 12.5), **options) == [30.25, 32.25, 50.25, 52.25]
    assert pooled("roi_align", RAMP_10, (3, 3, 11, 11), **options) == [22, 24, 42, 44]


@pytest.mark.parametrize(
    ("quantization", "mode", "expected"),
    [
        ("caffe", "max", [12, 13, 17, 18]),
        ("caffe", "avg", [9, 10, 14, 15]),
        ("mmcv", "max", [12, 13, 17, 18]),
        ("floor", "max", [6, 7, 11, 12]),
        ("truncate", "max", [6, 7, 11, 12]),
    ],
)
def test_roi_pool_of_two_cells(quantization, mode, expected):
    assert pooled("roi_pool", RAMP_5, (1, 1, 3, 3), mode=mode, quantization=quantization) == expected


@pytest.mark.parametrize(
    ("quantization", "box", "expected"),
    [
        ("caffe", (4, 4, 12, 12), [44, 46, 64, 66]),
        ("caffe", (3, 3, 11, 11), [44, 46, 64, 66]),
        ("mmcv", (3, 3, 11, 11), [33, 35, 53, 55]),
        ("floor", (3, 3, 11, 11), [22, 24, 42, 44]),
        ("truncate", (3, 3, 11, 11), [22, 24, 42, 44]),
    ],
)
def test_roi_pool_at_half_scale(quantization, box, expected):
    """torchvision rounds the box, mmcv takes floor and ceil of its edges: they disagree on the same box."""
    assert pooled("roi_pool", RAMP_10, box, spatial_scale=0.5, quantization=quantization) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"sampling_ratio": 0}, [0, 0, 0, 0]),
        ({"sampling_ratio": 2}, [20.5, 21.375, 20.5, 21.375]),
        ({"sampling_ratio": 2, "aligned": False}, [23.5, 24, 23.5, 24]),
    ],
    ids=str,
)
def test_empty_box(options, expected):
    assert pooled("roi_align", RAMP_5, (3, 4, 5, 4), **options) == expected


def test_inverted_box_with_a_fixed_ratio_is_mirrored():
    assert pooled("roi_align", RAMP_5, (3, 1, 1, 3), sampling_ratio=2) == [7, 6, 12, 11]


@pytest.mark.parametrize("box", [(3, 1, 1, 3), (1, 3, 3, 1), (3, 3, 1, 1)])
def test_inverted_box_with_an_adaptive_ratio_is_zero(box):
    assert pooled("roi_align", RAMP_5, box) == [0, 0, 0, 0]


def test_box_partly_off_the_map():
    """A sample within a pixel of the outermost centres has the border's value. Farther out it is 0, and it counts."""
    assert pooled("roi_align", RAMP_5, (-2, -2, 2, 2), sampling_ratio=2) == [0, 0.25, 1.25, 3]
    assert pooled("roi_align", ONES_5, (-1, -1, 1, 1), sampling_ratio=2) == [0.25, 0.5, 0.5, 1]


def test_adaptive_box_larger_than_the_map():
    """7 x 7 of the 13 x 13 samples are on the map."""
    box = np.array([[-4.0, -4, 9, 9]])
    output = ra.roi_align(ONES_5, box, 1)
    np.testing.assert_allclose(output, 49 / 169, rtol=1e-15)
    assert round(output.item(), 4) == 0.2899


def test_interior_samples_lie_at_the_thirds():
    """Bins of 3 x 3 cells from pixel centre 1: the samples are the pixels 2 and 3, then 5 and 6."""
    box = np.array([[1.5, 1.5, 7.5, 7.5]])
    output = ra.roi_align(RAMP_10, box, 2, sampling_ratio=2, sample_points="interior")
    assert output.ravel().tolist() == [27.5, 30.5, 57.5, 60.5]
    output = ra.roi_align(RAMP_10, box, 2, sampling_ratio=2, sample_points="interior", mode="max")
    assert output.ravel().tolist() == [33, 36, 63, 66]


def test_argmax_of_samples_and_corners():
    """Samples are numbered rows first, corners four to a sample; -1 says that there was no sample."""
    box = np.array([[1.0, 1, 3, 3], [3, 4, 5, 4]])
    _, argmax = ra.roi_align(RAMP_5, box, 2, sampling_ratio=(2, 3), mode="max", return_argmax=True)
    assert argmax[0].ravel().tolist() == [5, 5, 5, 5]
    _, argmax = ra.roi_align(RAMP_5, box, 2, mode="max", return_argmax=True)
    assert argmax[1].ravel().tolist() == [-1, -1, -1, -1]
    box = np.array([[1.0, 1, 4, 4]])
    _, argmax = ra.roi_align(RAMP_5, box, 2, sampling_ratio=1, mode="onnx_max", return_argmax=True)
    assert argmax.ravel().tolist() == [0, 1, 2, 3]


def test_argmax_of_roi_pool_is_the_pixel():
    _, argmax = ra.roi_pool(RAMP_5, np.array([[1.0, 1, 3, 3], [7, 7, 9, 9]]), 2, return_argmax=True)
    assert argmax[0].ravel().tolist() == [12, 13, 17, 18]
    assert argmax[1].ravel().tolist() == [-1, -1, -1, -1]


def test_ties_go_to_the_first():
    _, argmax = ra.roi_pool(ONES_5, np.array([[1.0, 1, 3, 3]]), 2, return_argmax=True)
    assert argmax.ravel().tolist() == [6, 7, 11, 12]
    _, argmax = ra.roi_align(ONES_5, np.array([[1.0, 1, 3, 3]]), 2, sampling_ratio=2, mode="max", return_argmax=True)
    assert argmax.ravel().tolist() == [0, 0, 0, 0]
    options = {"sampling_ratio": 2, "mode": "onnx_max", "return_argmax": True}
    _, argmax = ra.roi_align(RAMP_5, np.array([[1.0, 1, 3, 3]]), 2, **options)
    assert argmax.ravel().tolist() == [3, 3, 3, 3], "the same corner of all four samples"


def test_coordinates_keep_their_dtype():
    """Seven bins over 29 cells: float32 rounds 29 / 7 so that the last bin of RoI pooling ends one pixel later."""
    ramp = np.arange(60.0).reshape(1, 1, 1, 60)
    last = {}
    for dtype in (np.float32, np.float64):
        boxes = np.array([[0, 0, side, 0] for side in range(1, 59)], dtype)
        last[dtype] = ra.roi_pool(ramp, boxes, (1, 7))[:, 0, 0]
        size = np.arange(2, 60).astype(dtype)[:, None]
        edges = np.ceil(np.arange(1, 8).astype(dtype) * (size / dtype(7)))
        np.testing.assert_array_equal(last[dtype], np.minimum(edges, 60) - 1)
    assert np.any(last[np.float32] != last[np.float64])
