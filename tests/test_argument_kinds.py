"""In every function, an argument of a wrong kind is a TypeError that names the argument."""

import inspect
import re
from decimal import Decimal

import numpy as np
import operators
import pytest

import roialign_rs as ra

FEATURES = np.ones((1, 3, 8, 8))
BOXES = np.array([[1.0, 1, 5, 5], [2, 2, 7, 7]])
GRAD = np.ones((2, 3, 2, 2))
SHAPE = FEATURES.shape
PYRAMID = {"boxes": BOXES, "spatial_scales": [1.0, 0.5]}

CALLS = {
    "multiscale_roi_align": {"features_list": [FEATURES, FEATURES], "output_size": 2, **PYRAMID},
    "multiscale_roi_align_backward": {"grad_output": GRAD, "input_shapes": [SHAPE, SHAPE], **PYRAMID},
    "assign_stages": {"boxes": BOXES, "num_stages": 2, "min_level": 2},
    "check_boxes": {"boxes": BOXES, "image_size": 8},
    "explain": {"box": BOXES[0], "output_size": 2, "map_size": 8},
}
"""A valid call of each function, with its required arguments only."""
for row in operators.OPERATORS.values():
    CALLS[row.name] = {"features": FEATURES, "boxes": BOXES, "output_size": 2}
    CALLS[f"{row.name}_backward"] = {"grad_output": GRAD, "boxes": BOXES, "input_shape": SHAPE, **row.mean}
    if row.box_gradient:
        CALLS[f"{row.name}_box_gradient"] = {"grad_output": GRAD, "features": FEATURES, "boxes": BOXES}

LISTS_OUT = "multiscale_roi_align_backward"
"""The function that takes and gives one array for each map."""


def having(argument, but=None):
    """Names of the functions that have an argument."""
    return sorted(op for op in CALLS if argument in inspect.signature(getattr(ra, op)).parameters and op != but)


SWITCH = "must be True or False, got "
PAIR = "must be an integer or a pair of integers, got "
NUMBER = "must be a number, got "
INTEGER = "must be an integer, got "

WRONG = [
    ("device", ["cuda", 0], "must be a roialign_rs.gpu.Device, got "),
    ("aligned", ["yes", 2, -1, 1.0, None, np.float32(1), 10**30], SWITCH),
    ("return_argmax", ["yes", 2, None], SWITCH),
    ("accumulate", ["yes", 2, None], SWITCH),
    ("spatial_scale", [(1, 1), "1", None, [1.0]], NUMBER),
    ("spatial_scales", [1.0, None], "must be a sequence of numbers, got "),
    ("spatial_scales", [["1", 0.5], [(1,), 0.5], "ab"], NUMBER),
    ("sampling_ratio", [2.0, "2", None, (1, 2, 3)], PAIR),
    ("output_size", [7.0, "77", None, (7, 7.0), (7,)], PAIR),
    ("mode", [3, None, True], 'must be "'),
    ("sample_points", [3, None], 'must be "center" or "interior", got '),
    ("quantization", [3, None], 'must be "caffe", "mmcv", "floor" or "truncate", got '),
    ("layout", [3, None], 'must be "NCHW" or "NHWC", got '),
    ("invalid", [3, None, False], 'must be "raise", "zero" or "nan", got '),
    ("rule", [3, None], 'must be "detectron2" or "torchvision", got '),
    ("canonical_size", ["224", None, (224, 224)], NUMBER),
    ("canonical_level", [4.0, "4", None], INTEGER),
    ("num_stages", [4.0, "4", None], INTEGER),
    ("min_level", [4.0, "4", None], INTEGER),
    ("input_shape", [4, None, (1, 3, 8), "1388"], "must be four integers, such as features.shape, got "),
    ("input_shapes", [4, None], "must be a sequence, got "),
    ("features_list", [4, None], "must be a sequence, got "),
    ("grad_output", [None, "gradient"], ": dtype "),
    ("boxes", [None, "boxes", {}], ": "),
    ("box", [("1", "1", "5", "5"), BOXES[0] + 0j, BOXES[0].astype("m8[s]"), (1, 1, 5, None)], ": "),
    ("image_size", [8.0, "8", None, (8,)], PAIR),
    ("images", [1.5, "2", [1], np.zeros(3)], INTEGER),
    ("box_format", [1, None, np.array(["a", "b"])], 'must be "xyxy", "yxyx", "xywh" or "cxcywh", got '),
    ("on_problem", [1, None, ["warn"]], 'must be "report", "warn" or "raise", got '),
    ("batch_indices", ["0", [0.5, 0.5]], ": dtype "),
    ("batch_indices", [[None, 0]], ": expected integers, got None in an object array"),
    ("stages", ["0", [0.5, 0.5]], ": dtype "),
    ("argmax", ["0", np.zeros(GRAD.shape)], ": dtype "),
]
"""(argument, values of a wrong kind, what the error says), for every function that has the argument."""

EXAMPLES = [
    *((name, op, value, message) for name, values, message in WRONG for op in having(name) for value in values),
    # `explain` needs no features.
    *(("features", op, value, ": dtype ") for op in having("features", but="explain") for value in (None, "map", {})),
    *(
        ("out", op, value, " must be a NumPy array, got ")
        for op in having("out", but=LISTS_OUT)
        for value in ("out", 4, [[0.0]])
    ),
    ("out", LISTS_OUT, 4, "must be a sequence, got "),
]


@pytest.mark.parametrize(
    ("name", "op", "value", "message"),
    EXAMPLES,
    ids=lambda value: value if isinstance(value, str) and value in CALLS else None,
)
def test_the_argument_is_named(name, op, value, message):
    with pytest.raises(TypeError, match=re.escape(name) + ".*" + re.escape(message)):
        getattr(ra, op)(**{**CALLS[op], name: value})


@pytest.mark.parametrize("op", CALLS)
def test_the_calls_are_right(op):
    getattr(ra, op)(**CALLS[op])


@pytest.mark.parametrize("value", [FEATURES, list(range(100_000)), b"long " * 1000], ids=lambda v: type(v).__name__)
def test_messages_show_long_values_in_short(value):
    """Arrays are shown by their shape: a caller may pass ``features`` where ``features.shape`` is expected."""
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


@pytest.mark.parametrize("op", having("aligned", but="explain"))
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
    for op in having("spatial_scale"):
        with pytest.raises(ValueError, match=f"spatial_scale must be finite and positive, got {shown}"):
            getattr(ra, op)(**CALLS[op], spatial_scale=value)
    for op in having("spatial_scales"):
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
    *((op, "features", FEATURES) for op in having("features", but="explain")),
    *((op, "grad_output", GRAD) for op in having("grad_output")),
    *((op, "boxes", BOXES) for op in having("boxes")),
    ("explain", "box", BOXES[0]),
]


@pytest.mark.parametrize(("op", "name", "values"), MASKED)
def test_masked_arrays(op, name, values):
    """Operators would read masked elements."""
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
    """Each array of a list is checked by itself: after concatenation, its dtype would be hidden."""
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


def test_an_object_that_is_no_array_is_named():
    class Tensor:
        def __dlpack__(self, **options):
            raise BufferError("not on the CPU")

        def __dlpack_device__(self):
            return (2, 0)

    with pytest.raises(TypeError, match="features: not on the CPU"):
        ra.roi_align(Tensor(), BOXES, 2)
