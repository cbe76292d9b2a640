"""Gradients on devices: arrays that stay there, accumulation, limits, and errors.

Their values are tested together with the CPU's, through the fixture ``backend``.
"""

import re

import cases
import layouts
import numpy as np
import operators
import pytest
from checks import assert_within, largest_finite
from tolerances import BOUNDS

import roialign_rs as ra

OPS = list(operators.OPERATORS)
EVERY = 131
BOXES = np.array([[0, 1, 1, 9, 8], [1, 2, 2, 5, 5], [0, -4, -4, 40, 40]], np.float32)
SHAPE = (2, 7, 11, 13)
GRAD = np.random.default_rng(1).standard_normal((3, 7, 2, 3)).astype(np.float32)


def backward(op, **arguments):
    return getattr(ra, f"{op}_backward")(**arguments)


def pooled_there(case, device):
    """Arguments of the backward pass, with arrays on a device; argmax comes from a forward pass there."""
    features = device.features(case.inputs()["features"])
    arguments = case.backward_arguments()
    arguments["grad_output"] = device.features(arguments["grad_output"])
    if case.has_argmax:
        _, arguments["argmax"] = case.run(features=features, return_argmax=True)
    return arguments


@pytest.mark.parametrize("op", OPS)
def test_gradients_stay_on_the_device(op, device):
    for case in cases.some(op, EVERY):
        there = pooled_there(case, device)
        on_host = {"argmax": there["argmax"].numpy()} if case.has_argmax else {}
        expected = case.run_backward("gpu", **on_host)
        gradient = backward(op, **there)
        assert isinstance(gradient, ra.gpu.DeviceArray)
        assert (gradient.shape, gradient.dtype) == (case.shape, case.features_dtype)
        np.testing.assert_array_equal(gradient.numpy(), expected, err_msg=str(case))
        if on_host:
            from_host = backward(op, **{**there, **on_host})
            np.testing.assert_array_equal(from_host.numpy(), expected, err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_backward_repeats_bit_for_bit(op, device):
    for case in list(cases.some(op, EVERY))[:11]:
        there = pooled_there(case, device)
        expected = backward(op, **there).numpy()
        for _ in range(20):
            np.testing.assert_array_equal(backward(op, **there).numpy(), expected, err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_memory_of_gradients_on_the_host_does_not_matter(op, device):
    for case in cases.some(op, 5 * EVERY):
        arguments = case.backward_arguments(device=device)
        expected = backward(op, **arguments)
        for arrange in layouts.LAYOUTS:
            moved = {name: arrange(arguments[name]) for name in ("grad_output", "argmax") if name in arguments}
            out = arrange(np.full_like(expected, 7))
            assert backward(op, **{**arguments, **moved}, out=out) is out
            np.testing.assert_array_equal(out, expected, err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_channels_last(op, device):
    for case in cases.some(op, EVERY):
        arguments = case.backward_arguments(device=device)
        expected = backward(op, **arguments)
        n, c, h, w = arguments["input_shape"]
        for name in ("grad_output", "argmax"):
            if name in arguments:
                arguments[name] = np.moveaxis(arguments[name], 1, -1)
        arguments |= {"input_shape": (n, h, w, c), "layout": "NHWC"}
        gradient = backward(op, **arguments)
        assert gradient.flags.c_contiguous
        np.testing.assert_array_equal(np.moveaxis(gradient, -1, 1), expected, err_msg=str(case))
        arguments["grad_output"] = device.features(arguments["grad_output"], layout="NHWC")
        np.testing.assert_array_equal(backward(op, **arguments).numpy(), gradient, err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_accumulate_adds_to_what_is_there(op, device):
    """The sum of gradient and old value is rounded once."""
    for case in cases.some(op, EVERY):
        arguments = case.backward_arguments()
        before = np.random.default_rng(case.index).standard_normal(case.shape).astype(case.features_dtype)
        wide = arguments["grad_output"].astype(np.float64)
        expected = before + backward(op, **{**arguments, "grad_output": wide})
        bound, _ = BOUNDS["transpose", case.features_dtype]
        limit = bound * largest_finite(expected) * (1 if case.features_dtype == "float64" else 2)
        out = before.copy()
        assert backward(op, **arguments, out=out, accumulate=True, device=device) is out
        assert_within(out, expected, limit, str(case))
        there = device.features(before)
        arguments["grad_output"] = device.features(arguments["grad_output"])
        assert backward(op, **arguments, out=there, accumulate=True) is there
        np.testing.assert_array_equal(there.numpy(), out, err_msg=str(case))
        assert backward(op, **arguments, out=there) is there
        np.testing.assert_array_equal(there.numpy(), backward(op, **arguments).numpy(), err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_small_limits_give_the_same_bits(op, device):
    few_groups = ra.gpu.Device(allow_cpu=True, max_workgroups=3)
    small = {size: ra.gpu.Device(allow_cpu=True, max_binding_bytes=size) for size in (8192, 16384, 1 << 20)}
    for case in cases.some(op, EVERY):
        arguments = case.backward_arguments()
        expected = case.run_backward("gpu", **arguments)
        quad = 4 * 8 * max(np.prod(case.shape[2:]), arguments["grad_output"][0, 0].size)
        for limited in [few_groups, *(device for size, device in small.items() if size > quad)]:
            got = case.run_backward(**arguments, device=limited)
            np.testing.assert_array_equal(got, expected, err_msg=str(case))
            if limited is not few_groups:
                there = pooled_there(case, limited)
                if case.has_argmax:
                    there["argmax"] = arguments["argmax"]
                got = backward(op, **there)
                np.testing.assert_array_equal(got.numpy(), expected, err_msg=str(case))


def test_argmax_of_more_samples_than_32_bits_number(device):
    features, boxes = np.ones((1, 1, 4, 4), np.float32), [[-199_996, -199_996, 4, 4]]
    for mode in ("max", "onnx_max"):
        pooled, argmax = ra.roi_align(features, boxes, 1, mode=mode, return_argmax=True)
        assert argmax.item() > 1 << 32
        arguments = {"grad_output": pooled, "boxes": boxes, "input_shape": features.shape, "mode": mode}
        expected = ra.roi_align_backward(**arguments, argmax=argmax)
        assert expected.sum() > 0
        np.testing.assert_array_equal(ra.roi_align_backward(**arguments, argmax=argmax, device=device), expected)


def test_batches_and_no_boxes(device):
    there = device.features(GRAD)
    expected = ra.roi_align_backward(there, BOXES, SHAPE).numpy()
    with device.batch():
        first = ra.roi_align_backward(there, BOXES, SHAPE)
        none = ra.roi_align_backward(device.features(GRAD[:0]), BOXES[:0], SHAPE)
        kept = ra.roi_align_backward(device.features(GRAD[:0]), BOXES[:0], SHAPE, out=first, accumulate=True)
    np.testing.assert_array_equal(kept.numpy(), expected)
    np.testing.assert_array_equal(none.numpy(), np.zeros(SHAPE, np.float32))


def test_invalid_boxes_have_no_gradient(device):
    boxes = np.vstack([BOXES, [[0, np.nan, 0, 1, 1], [7, 0, 0, 1, 1]]]).astype(np.float32)
    grads = np.concatenate([GRAD, GRAD[:2]])
    expected = ra.roi_align_backward(GRAD, BOXES, SHAPE, device=device)
    for invalid in ("zero", "nan"):
        gradient = ra.roi_align_backward(grads, boxes, SHAPE, invalid=invalid, device=device)
        np.testing.assert_array_equal(gradient, expected)
    with pytest.raises(ValueError, match=r"boxes\[3\]: coordinates must be finite"):
        ra.roi_align_backward(device.features(grads), boxes, SHAPE)


def test_an_argmax_on_the_device_that_is_no_candidate_has_no_gradient(device):
    features = np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    _, argmax = ra.roi_pool(device.features(features), BOXES, (2, 3), return_argmax=True)
    others = BOXES + np.array([0, 3, 3, 3, 3], np.float32)
    gradient = ra.roi_pool_backward(device.features(GRAD), others, SHAPE, argmax=argmax).numpy()
    assert np.isfinite(gradient).all()
    with pytest.raises(ValueError, match="is out of range for its bin"):
        ra.roi_pool_backward(device.features(GRAD), others, SHAPE, argmax=argmax.numpy())
    with pytest.raises(ValueError, match="is out of range for its bin"):
        ra.roi_pool_backward(GRAD, others, SHAPE, argmax=argmax.numpy(), device=device)


def test_wrong_arrays(device):
    other = ra.gpu.Device(allow_cpu=True)
    there, features = device.features(GRAD), device.features(np.ones(SHAPE, np.float32))
    argmax = ra.roi_pool(features, BOXES, (2, 3), return_argmax=True)[1]

    def wrong(kind, message, *, grads=there, shape=SHAPE, **arguments):
        with pytest.raises(kind, match=re.escape(message)):
            ra.roi_align_backward(grads, BOXES, shape, **arguments)

    wrong(ValueError, "grad_output: expected shape (3, 6, 2, 3), got (3, 7, 2, 3)", shape=(2, 6, 11, 13))
    wrong(ValueError, "accumulate=True needs out", accumulate=True)
    wrong(ValueError, "out must be an array on the device, like grad_output", out=np.zeros(SHAPE, np.float32))
    wrong(ValueError, "out: expected shape (2, 7, 11, 13), got (3, 7, 2, 3)", out=device.features(GRAD + 1))
    wrong(ValueError, "out shares memory with an input", out=there, shape=(3, 7, 2, 3))
    wrong(TypeError, "out: dtype float64 is not supported", out=device.features(np.ones(SHAPE)))
    wrong(ValueError, "must be on one device", out=other.features(np.ones(SHAPE, np.float32)))
    wrong(
        TypeError,
        "out must be a NumPy array here (download it with .numpy()), got DeviceArray",
        grads=GRAD,
        out=features,
    )
    wrong(ValueError, "device must be the one that holds the arrays", device=other)
    wrong(ValueError, 'layout must be "NCHW"', layout="NHWC", shape=(2, 11, 13, 3))
    wrong(ValueError, 'argmax must be None for mode="avg"', argmax=argmax)
    wrong(ValueError, "argmax is needed", mode="max")
    wrong(TypeError, "argmax: dtype float32 is not supported", mode="max", argmax=there)
    wrong(TypeError, "argmax must be a NumPy array here", mode="max", grads=GRAD, argmax=argmax)
    wrong(TypeError, "argmax: dtype float64 is not supported; use integers", mode="max", argmax=np.zeros(GRAD.shape))


def test_gradients_of_boxes_are_computed_on_the_cpu_alone(device):
    features = np.ones(SHAPE, np.float32)
    for grads, maps in ((device.features(GRAD), features), (GRAD, device.features(features))):
        with pytest.raises(
            TypeError, match=r"must be a NumPy array here \(download it with \.numpy\(\)\), got DeviceArray"
        ):
            ra.roi_align_box_gradient(grads, maps, BOXES)
