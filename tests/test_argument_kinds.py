"""An argument of a wrong kind is a TypeError that names it, in whichever function it is given to."""

import re
from decimal import Decimal

import numpy as np
import pytest

import roialign_rs as ra

FEATURES = np.ones((1, 3, 8, 8))
BOXES = np.array([[1.0, 1, 5, 5], [2, 2, 7, 7]])
GRAD = np.ones((2, 3, 2, 2))
SHAPE = FEATURES.shape
PYRAMID = {"boxes": BOXES, "spatial_scales": [1.0, 0.5]}

CALLS = {
    "roi_align": {"features": FEATURES, "boxes": BOXES, "output_size": 2},
    "roi_pool": {"features": FEATURES, "boxes": BOXES, "output_size": 2},
    "roi_align_backward": {"grad_output": GRAD, "boxes": BOXES, "input_shape": SHAPE},
    "roi_pool_backward": {"grad_output": GRAD, "boxes": BOXES, "input_shape": SHAPE, "mode": "avg"},
    "roi_align_box_gradient": {"grad_output": GRAD, "features": FEATURES, "boxes": BOXES},
    "multiscale_roi_align": {"features_list": [FEATURES, FEATURES], "output_size": 2, **PYRAMID},
    "multiscale_roi_align_backward": {"grad_output": GRAD, "input_shapes": [SHAPE, SHAPE], **PYRAMID},
    "assign_stages": {"boxes": BOXES, "num_stages": 2, "min_level": 2},
    "check_boxes": {"boxes": BOXES, "image_size": 8},
    "explain": {"box": BOXES[0], "output_size": 2, "map_size": 8},
}
"""A valid call of each function, with its required arguments only."""

OPERATORS = set(CALLS) - {"assign_stages", "check_boxes", "explain"}
ALIGN = OPERATORS - {"roi_pool", "roi_pool_backward"}
TABLES = set(CALLS) - {"explain"}
FORWARD = {"roi_align", "roi_pool", "multiscale_roi_align"}
BACKWARD = {"roi_align_backward", "roi_pool_backward", "multiscale_roi_align_backward"}
PYRAMIDS = {"multiscale_roi_align", "multiscale_roi_align_backward"}

SWITCH = "must be True or False, got "
PAIR = "must be an integer or a pair of integers, got "
NUMBER = "must be a number, got "
INTEGER = "must be an integer, got "

WRONG = [
    ("device", OPERATORS - {"roi_align_box_gradient"}, ["cuda", 0], "must be a roialign_rs.gpu.Device, got "),
    ("aligned", ALIGN | {"explain"}, ["yes", 2, -1, 1.0, None, np.float32(1), 10**30], SWITCH),
    ("return_argmax", {"roi_align", "roi_pool"}, ["yes", 2, None], SWITCH),
    ("accumulate", BACKWARD, ["yes", 2, None], SWITCH),
    ("spatial_scale", OPERATORS - PYRAMIDS | {"explain"}, [(1, 1), "1", None, [1.0]], NUMBER),
    ("spatial_scales", PYRAMIDS, [1.0, None], "must be a sequence of numbers, got "),
    ("spatial_scales", PYRAMIDS, [["1", 0.5], [(1,), 0.5], "ab"], NUMBER),
    ("sampling_ratio", ALIGN | {"explain"}, [2.0, "2", None, (1, 2, 3)], PAIR),
    ("output_size", FORWARD | {"explain"}, [7.0, "77", None, (7, 7.0), (7,)], PAIR),
    ("mode", OPERATORS - PYRAMIDS - {"roi_align_box_gradient"}, [3, None, True], 'must be "'),
    (
        "sample_points",
        {"roi_align", "roi_align_backward", "explain"},
        [3, None],
        'must be "center" or "interior", got ',
    ),
    (
        "quantization",
        {"roi_pool", "roi_pool_backward", "explain"},
        [3, None],
        'must be "caffe", "mmcv", "floor" or "truncate", got ',
    ),
    ("layout", OPERATORS, [3, None], 'must be "NCHW" or "NHWC", got '),
    ("invalid", OPERATORS | {"assign_stages"}, [3, None, False], 'must be "raise", "zero" or "nan", got '),
    ("rule", PYRAMIDS | {"assign_stages"}, [3, None], 'must be "detectron2" or "torchvision", got '),
    ("canonical_size", PYRAMIDS | {"assign_stages"}, ["224", None, (224, 224)], NUMBER),
    ("canonical_level", PYRAMIDS | {"assign_stages"}, [4.0, "4", None], INTEGER),
    ("num_stages", {"assign_stages"}, [4.0, "4", None], INTEGER),
    ("min_level", {"assign_stages"}, [4.0, "4", None], INTEGER),
    (
        "input_shape",
        {"roi_align_backward", "roi_pool_backward"},
        [4, None, (1, 3, 8), "1388"],
        "must be four integers, such as features.shape, got ",
    ),
    ("input_shapes", {"multiscale_roi_align_backward"}, [4, None], "must be a sequence, got "),
    ("features_list", {"multiscale_roi_align"}, [4, None], "must be a sequence, got "),
    ("out", {"multiscale_roi_align_backward"}, [4], "must be a sequence, got "),
    ("out", OPERATORS - {"multiscale_roi_align_backward"}, ["out", 4, [[0.0]]], " must be a NumPy array, got "),
    ("features", {"roi_align", "roi_pool", "roi_align_box_gradient"}, [None, "features", {}], ": dtype "),
    ("grad_output", BACKWARD | {"roi_align_box_gradient"}, [None, "gradient"], ": dtype "),
    ("boxes", TABLES, [None, "boxes", {}], ": "),
    ("box", {"explain"}, [("1", "1", "5", "5"), BOXES[0] + 0j, BOXES[0].astype("m8[s]"), (1, 1, 5, None)], ": "),
    ("image_size", {"check_boxes"}, [8.0, "8", None, (8,)], PAIR),
    ("images", {"check_boxes"}, [1.5, "2", [1], np.zeros(3)], INTEGER),
    (
        "box_format",
        {"check_boxes"},
        [1, None, np.array(["a", "b"])],
        'must be "xyxy", "yxyx", "xywh" or "cxcywh", got ',
    ),
    ("on_problem", {"check_boxes"}, [1, None, ["warn"]], 'must be "report", "warn" or "raise", got '),
    ("batch_indices", OPERATORS | {"check_boxes"}, ["0", [0.5, 0.5]], ": dtype "),
    ("batch_indices", OPERATORS | {"check_boxes"}, [[None, 0]], ": expected integers, got None in an object array"),
    ("stages", PYRAMIDS, ["0", [0.5, 0.5]], ": dtype "),
    ("argmax", BACKWARD - PYRAMIDS, ["0", np.zeros(GRAD.shape)], ": dtype "),
]


@pytest.mark.parametrize(
    ("name", "op", "value", "message"),
    [(name, op, value, message) for name, ops, values, message in WRONG for op in sorted(ops) for value in values],
    ids=lambda value: value if isinstance(value, str) and value in CALLS else None,
)
def test_the_argument_is_named(name, op, value, message):
    with pytest.raises(TypeError, match=re.escape(name) + ".*" + re.escape(message)):
        getattr(ra, op)(**{**CALLS[op], name: value})


@pytest.mark.parametrize("op", CALLS)
def test_the_calls_are_right(op):
    getattr(ra, op)(**CALLS[op])


@pytest.mark.parametrize("value", [FEATURES, list(range(100_000)), b"long " * 1000], ids=lambda v: type(v).__name__)
def test_what_is_shown_of_a_value_is_short(value):
    """An array is shown by its shape, such as features without their ``.shape``."""
    for op, name in (
        ("roi_align", "output_size"),
        ("roi_align", "aligned"),
        ("roi_align", "mode"),
        ("roi_align_backward", "input_shape"),
        ("check_boxes", "on_problem"),
    ):
        with pytest.raises(TypeError, match=name) as caught:
            getattr(ra, op)(**{**CALLS[op], name: value})
        assert len(str(caught.value)) < 170
        if value is FEATURES:
            assert str(caught.value).endswith("got an array of shape (1, 3, 8, 8)")


def test_objects_in_explained_boxes():
    with pytest.raises(ValueError, match="box: int too large"):
        ra.explain([10**400, 1, 5, 5], 2, map_size=8)
    assert ra.explain(np.array([1, 1, 5, Decimal(5)], object), 2, map_size=8).box == (1, 1, 5, 5)


@pytest.mark.parametrize("op", sorted(ALIGN))
@pytest.mark.parametrize("value", [True, False])
def test_switches(op, value):
    def call(aligned):
        result = getattr(ra, op)(**CALLS[op], aligned=aligned)
        return result[0] if isinstance(result, list) else result

    for same in (np.bool_(value), int(value), np.int64(value)):
        np.testing.assert_array_equal(call(same), call(value))


def test_switches_that_choose_the_result():
    for value in (1, np.True_):
        assert len(ra.roi_align(FEATURES, BOXES, 2, mode="max", return_argmax=value)) == 2
    assert ra.roi_align(FEATURES, BOXES, 2, return_argmax=0).shape == GRAD.shape
    out = np.ones(SHAPE)
    ra.roi_align_backward(GRAD, BOXES, SHAPE, out=out, accumulate=np.True_)
    assert (out >= 1).all()


@pytest.mark.parametrize("value", [2**1100, -(2**1100)])
def test_scales_too_large_for_a_float(value):
    shown = "inf" if value > 0 else "-inf"
    for op in sorted(OPERATORS - PYRAMIDS | {"explain"}):
        with pytest.raises(ValueError, match=f"spatial_scale must be finite and positive, got {shown}"):
            getattr(ra, op)(**CALLS[op], spatial_scale=value)
    for op in sorted(PYRAMIDS):
        with pytest.raises(ValueError, match="spatial_scale"):
            getattr(ra, op)(**{**CALLS[op], "spatial_scales": [value, 0.5]})
    with pytest.raises(ValueError, match=f"canonical_size must be finite and positive, got {shown}"):
        ra.assign_stages(**CALLS["assign_stages"], canonical_size=value)


@pytest.mark.parametrize("size", [(2, 3), [2, 3], (np.int64(2), np.int8(3))], ids=str)
def test_pairs(size):
    assert ra.roi_align(FEATURES, BOXES, size).shape == (2, 3, 2, 3)
    expected = ra.roi_align(FEATURES, BOXES, 2, sampling_ratio=(2, 3))
    np.testing.assert_array_equal(ra.roi_align(FEATURES, BOXES, 2, sampling_ratio=size), expected)


MASKED = [
    ("roi_align", "features", FEATURES),
    ("roi_pool", "features", FEATURES),
    ("roi_align_backward", "grad_output", GRAD),
    ("roi_align_box_gradient", "features", FEATURES),
    *((op, "boxes", BOXES) for op in sorted(TABLES)),
    ("explain", "box", BOXES[0]),
]


@pytest.mark.parametrize(("op", "name", "values"), MASKED)
def test_masked_arrays(op, name, values):
    """Operators read masked elements, so masks are refused."""
    masked = np.ma.masked_equal(values, 2)
    with pytest.raises(TypeError, match=f"{name}: masked arrays are not supported"):
        getattr(ra, op)(**{**CALLS[op], name: masked})


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        (BOXES > 0, "dtype bool is not supported; use float32 or float64"),
        (BOXES.astype(">f8"), "dtype >f8 is not supported; use float32 or float64"),
        (BOXES.astype("M8[s]"), r"dtype datetime64\[s\] is not supported"),
        (BOXES.astype("m8[s]"), r"dtype timedelta64\[s\] is not supported"),
        (np.zeros((2, 4), [("x", float)]), r"dtype \[\('x', '<f8'\)\] is not supported"),
        (BOXES + 0j, "dtype complex128 is not supported"),
        (None, "expected real numbers, got None in an object array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("place", [0, 1])
def test_dtypes_of_boxes_in_lists(wrong, shown, place):
    """What is refused alone is refused beside others, which joining them would hide."""
    boxes = [BOXES, BOXES]
    boxes[place] = wrong
    for call in (
        lambda: ra.roi_align(np.concatenate([FEATURES, FEATURES]), boxes, 2),
        lambda: ra.check_boxes(boxes, 8),
    ):
        with pytest.raises(TypeError, match=rf"boxes\[{place}\]: {shown}"):
            call()


def test_masked_arrays_in_lists():
    with pytest.raises(TypeError, match=r"boxes\[0\]: masked arrays"):
        ra.roi_align(FEATURES, [np.ma.array(BOXES)], 2)
    with pytest.raises(TypeError, match=r"features_list\[1\]: masked arrays"):
        ra.multiscale_roi_align([FEATURES, np.ma.array(FEATURES)], BOXES, 2, spatial_scales=[1, 0.5])


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "1.24.0", reason="NumPy makes objects of them, and warns")
def test_rows_of_different_lengths_are_named():
    with pytest.raises(ValueError, match=r"features: .*inhomogeneous"):
        ra.roi_align([np.ones((3, 4, 4)), np.ones((3, 5, 5))], BOXES, 2)
    with pytest.raises(ValueError, match=r"boxes: .*inhomogeneous"):
        ra.roi_align(FEATURES, [[1, 1, 5, 5], [1, 1, 5]], 2)


def test_what_is_no_array_is_named():
    class Tensor:
        def __dlpack__(self, **options):
            raise BufferError("not on the CPU")

        def __dlpack_device__(self):
            return (2, 0)

    with pytest.raises(TypeError, match="features: not on the CPU"):
        ra.roi_align(Tensor(), BOXES, 2)
