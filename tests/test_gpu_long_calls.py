"""Long calls are split into several dispatches, which changes no bit: float16 gradients are rounded once."""

import numpy as np
import pytest

import roialign_rs as ra

COUNT = 700
GRAD = np.random.default_rng(4).uniform(0.3, 1, (COUNT, 3, 2, 2)).astype(np.float16)


def boxes_on(height, width):
    corners = np.random.default_rng(7).uniform(0, [20, height], (COUNT, 2))
    sides = np.random.default_rng(8).uniform(0.02, 0.3, (COUNT, 2)) * [width, 28]
    return np.hstack([np.zeros((COUNT, 1)), corners, corners + sides]).astype(np.float32)


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("mode", ["avg", "max", "onnx_max"])
@pytest.mark.parametrize(
    ("shape", "max_binding_bytes"),
    [((1, 3, 24, 28), None), ((1, 3, 24, 28), 12_288), ((1, 3, 1, 50_000), None)],
    ids=["at once", "tables of few boxes", "plans of few boxes"],
)
def test_float16_gradients_are_rounded_once(shape, max_binding_bytes, mode, accumulate, device):
    limits = {"max_binding_bytes": max_binding_bytes} if max_binding_bytes else {}
    device = ra.gpu.Device(allow_cpu=True, **limits)
    arguments = {"boxes": boxes_on(*shape[2:]), "input_shape": shape, "mode": mode}
    if mode != "avg":
        features = np.random.default_rng(3).standard_normal(shape).astype(np.float16)
        _, arguments["argmax"] = ra.roi_align(features, arguments["boxes"], 2, mode=mode, return_argmax=True)
    before = np.random.default_rng(5).uniform(0, 9, shape).astype(np.float16) * accumulate
    wide = before + ra.roi_align_backward(GRAD.astype(np.float64), **arguments)
    rounded = wide.astype(np.float16)

    got = ra.roi_align_backward(GRAD, **arguments, out=before.copy(), accumulate=accumulate, device=device)
    assert got.dtype == np.float16
    # A float32 sum near the middle between two float16 values may be rounded to either.
    error = np.abs(got - wide) - np.abs(rounded - wide)
    assert error.max() <= 1e-6 * wide.max()


def test_splitting_a_long_call_changes_no_bit(device):
    """Each dispatch has a timestamp, by which the test counts them."""
    if device.info.kind != "cpu":
        pytest.skip("what is long for a software driver is short for a GPU")
    features = np.random.default_rng(3).standard_normal((1, 16, 64, 64)).astype(np.float32)
    few, there = np.float32([[0, 0, 0, 60, 60]] * 3), device.features(features)
    boxes = np.tile(few, (1000, 1))

    def passes(call):
        device._core.start_timer()
        result = call()
        return result, len(device._core.stop_timer())

    pooled, count = passes(lambda: ra.roi_align(there, boxes, 7))
    assert count > 3
    once, count = passes(lambda: ra.roi_align(there, few, 7))
    assert count == 1
    np.testing.assert_array_equal(pooled.numpy(), np.tile(once.numpy(), (1000, 1, 1, 1)))
    grads = np.zeros(pooled.shape, np.float32)
    grads[[0, 1234, -1]] = 0.5
    gradient, count = passes(lambda: ra.roi_align_backward(device.features(grads), boxes, features.shape))
    assert count > 3
    expected = ra.roi_align_backward(device.features(grads[[0, 1234, -1]]), few, features.shape)
    np.testing.assert_array_equal(gradient.numpy(), expected.numpy())
