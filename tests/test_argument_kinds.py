"""An argument of a wrong kind is a TypeError that names it, in whichever function it is given to."""

import re

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
}
"""Calls that are right, with what they cannot do without."""

OPERATORS = set(CALLS) - {"assign_stages"}
ALIGN = OPERATORS - {"roi_pool", "roi_pool_backward"}
FORWARD = {"roi_align", "roi_pool", "multiscale_roi_align"}
BACKWARD = {"roi_align_backward", "roi_pool_backward", "multiscale_roi_align_backward"}
PYRAMIDS = {"multiscale_roi_align", "multiscale_roi_align_backward"}

SWITCH = "must be True or False, got "
PAIR = "must be an integer or a pair of integers, got "
NUMBER = "must be a number, got "
INTEGER = "must be an integer, got "

WRONG = [
    ("device", OPERATORS - {"roi_align_box_gradient"}, ["cuda", 0], "must be a roialign_rs.gpu.Device, got "),
    ("aligned", ALIGN, ["yes", 2, -1, 1.0, None, np.float32(1), 10**30], SWITCH),
    ("return_argmax", {"roi_align", "roi_pool"}, ["yes", 2, None], SWITCH),
    ("accumulate", BACKWARD, ["yes", 2, None], SWITCH),
    ("spatial_scale", OPERATORS - PYRAMIDS, [(1, 1), "1", None, [1.0]], NUMBER),
    ("spatial_scales", PYRAMIDS, [1.0, None], "must be a sequence of numbers, got "),
    ("spatial_scales", PYRAMIDS, [["1", 0.5], [(1,), 0.5], "ab"], NUMBER),
    ("sampling_ratio", ALIGN, [2.0, "2", None, (1, 2, 3)], PAIR),
    ("output_size", FORWARD, [7.0, "77", None, (7, 7.0), (7,)], PAIR),
    ("mode", OPERATORS - PYRAMIDS - {"roi_align_box_gradient"}, [3, None, True], 'must be "'),
    ("sample_points", {"roi_align", "roi_align_backward"}, [3, None], 'must be "center" or "interior", got '),
    (
        "quantization",
        {"roi_pool", "roi_pool_backward"},
        [3, None],
        'must be "caffe", "mmcv", "floor" or "truncate", got ',
    ),
    ("layout", OPERATORS, [3, None], 'must be "NCHW" or "NHWC", got '),
    ("invalid", set(CALLS), [3, None, False], 'must be "raise", "zero" or "nan", got '),
    ("rule", PYRAMIDS | {"assign_stages"}, [3, None], 'must be "detectron2" or "torchvision", got '),
    ("canonical_size", PYRAMIDS | {"assign_stages"}, ["224", None, (224, 224)], NUMBER),
    ("canonical_level", PYRAMIDS | {"assign_stages"}, [4.0, "4", None], INTEGER),
    ("num_stages", {"assign_stages"}, [4.0, "4", None], INTEGER),
    ("min_level", {"assign_stages"}, [4.0, "4", None], INTEGER),
    (
        "input_shape",
        {"roi_align_backward", "roi_pool_backward"},
        [4, None, (1, 3, 8), "1388"],
        "must be four integers, got ",
    ),
    ("input_shapes", {"multiscale_roi_align_backward"}, [4, None], "must be a sequence, got "),
    ("features_list", {"multiscale_roi_align"}, [4, None], "must be a sequence, got "),
    ("out", {"multiscale_roi_align_backward"}, [4], "must be a sequence, got "),
    ("out", OPERATORS - {"multiscale_roi_align_backward"}, ["out", 4, [[0.0]]], ": dtype "),
    ("features", {"roi_align", "roi_pool", "roi_align_box_gradient"}, [None, "features", {}], ": dtype "),
    ("grad_output", BACKWARD | {"roi_align_box_gradient"}, [None, "gradient"], ": dtype "),
    ("boxes", set(CALLS), [None, "boxes", {}], ": "),
    ("batch_indices", OPERATORS, ["0", [0.5, 0.5], [None, 0]], ": dtype "),
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
    for op in sorted(OPERATORS - PYRAMIDS):
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
    *((op, "boxes", BOXES) for op in CALLS),
]


@pytest.mark.parametrize(("op", "name", "values"), MASKED)
def test_masked_arrays(op, name, values):
    """What is masked would take part."""
    masked = np.ma.masked_equal(values, 2)
    with pytest.raises(TypeError, match=f"{name}: masked arrays are not supported"):
        getattr(ra, op)(**{**CALLS[op], name: masked})


def test_masked_arrays_in_lists():
    with pytest.raises(TypeError, match=r"boxes\[0\]: masked arrays"):
        ra.roi_align(FEATURES, [np.ma.array(BOXES)], 2)
    with pytest.raises(TypeError, match=r"features_list\[1\]: masked arrays"):
        ra.multiscale_roi_align([FEATURES, np.ma.array(FEATURES)], BOXES, 2, spatial_scales=[1, 0.5])


def test_what_is_no_array_is_named():
    with pytest.raises(ValueError, match=r"features: .*inhomogeneous"):
        ra.roi_align([np.ones((3, 4, 4)), np.ones((3, 5, 5))], BOXES, 2)
    with pytest.raises(ValueError, match=r"boxes: .*inhomogeneous"):
        ra.roi_align(FEATURES, [[1, 1, 5, 5], [1, 1, 5]], 2)

    class Tensor:
        def __dlpack__(self, **options):
            raise BufferError("not on the CPU")

        def __dlpack_device__(self):
            return (2, 0)

    with pytest.raises(TypeError, match="features: not on the CPU"):
        ra.roi_align(Tensor(), BOXES, 2)
