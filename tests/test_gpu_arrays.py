"""Arrays that stay on a device, limits, and batches.

Values that operators compute on devices are tested together with the CPU's, through the fixture ``backend``.
"""

import threading

import cases
import ml_dtypes
import numpy as np
import operators
import pytest

import roialign_rs as ra

OPS = list(operators.OPERATORS)
EVERY = 131


@pytest.fixture
def features():
    return np.random.default_rng(0).standard_normal((2, 7, 11, 13)).astype(np.float32)


BOXES = np.array([[0, 1, 1, 9, 8], [1, 2, 2, 5, 5], [0, -4, -4, 40, 40]], np.float32)


# Arrays that stay on the device.


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 7), (3, 17, 4, 4), (1, 64, 33, 31)])
def test_what_is_uploaded_comes_back(device, dtype, layout, shape):
    array = np.random.default_rng(1).uniform(0, 200, shape).astype(dtype)
    there = device.features(array, layout=layout)
    assert (there.shape, there.layout, len(there), there.ndim) == (shape, layout, shape[0], 4)
    back = there.numpy()
    assert back.dtype == there.dtype == (np.float32 if dtype == np.uint8 else dtype)
    np.testing.assert_array_equal(back, array.astype(back.dtype))


def test_arrays_of_many_chunks_come_back(device):
    for shape in [(1, 9, 700, 901), (3, 1200, 41, 43), (9000, 2, 7, 7), (1, 2, 1, 700_001)]:
        array = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
        np.testing.assert_array_equal(device.features(array).numpy(), array)
        np.testing.assert_array_equal(device.features(array, layout="NHWC").numpy(), array)


def test_every_float16_comes_through_a_kernel(device):
    array = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(1, 16, 64, 64)
    whole = [[-0.5, -0.5, 63.5, 63.5]]
    pooled = ra.roi_pool(device.features(array), [[0, 0, 63, 63]], 64).numpy()
    expected = ra.roi_pool(array, [[0, 0, 63, 63]], 64)
    np.testing.assert_array_equal(pooled, expected)
    half = ra.roi_align(array, whole, 64, sampling_ratio=1, aligned=False)
    np.testing.assert_array_equal(ra.roi_align(array, whole, 64, sampling_ratio=1, aligned=False, device=device), half)


def test_one_upload_serves_many_calls_and_results_are_features(device, features):
    there = device.features(features)
    for size in (1, 3, (5, 2)):
        pooled = ra.roi_align(there, BOXES, size)
        assert isinstance(pooled, ra.gpu.DeviceArray)
        again = ra.roi_pool(pooled, [[0, 0, 2, 2]], 1, batch_indices=[1])
        np.testing.assert_array_equal(again.numpy(), ra.roi_pool(pooled.numpy(), [[0, 0, 2, 2]], 1, batch_indices=[1]))


def test_results_can_be_downloaded_into_an_array(device, features):
    pooled = ra.roi_align(device.features(features), BOXES, 3)
    out = np.full((6, 14, 3, 3), 77, np.float32)[::2, ::2]
    assert pooled.numpy(out=out) is out
    np.testing.assert_array_equal(out, pooled.numpy())
    with pytest.raises(ValueError, match=r"out: expected shape \(3, 7, 3, 3\), got \(3, 7, 3, 2\)"):
        pooled.numpy(out=np.empty((3, 7, 3, 2), np.float32))


def test_the_layout_must_be_that_of_the_upload(device, features):
    there = device.features(features, layout="NHWC")
    with pytest.raises(ValueError, match='layout must be "NHWC", that of the arrays on the device, got "NCHW"'):
        ra.roi_align(there, BOXES, 3)
    ra.roi_align(there, BOXES, 3, layout="NHWC")


def test_out_needs_an_array_on_the_host(device, features):
    with pytest.raises(ValueError, match=r"out cannot be given .* download with \.numpy\(out=...\)"):
        ra.roi_align(device.features(features), BOXES, 3, out=np.empty((3, 7, 3, 3), np.float32))


def test_empty_arrays(device):
    for shape, boxes in [((1, 3, 4, 4), 0), ((1, 0, 4, 4), 2), ((0, 3, 4, 4), 0), ((1, 3, 0, 4), 0)]:
        there = device.features(np.ones(shape, np.float32))
        assert there.numpy().shape == shape
        assert ra.roi_align(there, np.zeros((boxes, 5)), 2).numpy().shape == (boxes, shape[1], 2, 2)
    with pytest.raises(ValueError, match="cannot pool 2 boxes from an empty array"):
        ra.roi_align(device.features(np.ones((1, 3, 0, 4), np.float32)), np.zeros((2, 5)), 2)


@pytest.mark.parametrize("invalid", ["zero", "nan"])
@pytest.mark.parametrize("mode", ["avg", "max", "onnx_max"])
def test_invalid_boxes_are_filled(device, features, invalid, mode):
    boxes = np.vstack([BOXES, [[0, np.nan, 0, 1, 1], [7, 0, 0, 1, 1]]])
    options = {"mode": mode, "invalid": invalid, "return_argmax": mode != "avg"}
    expected = ra.roi_align(features, boxes, 2, **options)
    got = ra.roi_align(features, boxes, 2, device=device, **options)
    for ours, theirs in zip(got, expected, strict=True) if mode != "avg" else [(got, expected)]:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match=r"boxes\[3\]: coordinates must be finite"):
        ra.roi_align(features, boxes, 2, device=device)


def test_argmax_of_more_samples_than_32_bits_number(device):
    features = np.ones((1, 1, 4, 4), np.float32)
    boxes = [[-199_996, -199_996, 4, 4]]
    for mode in ("max", "onnx_max"):
        options = {"mode": mode, "return_argmax": True}
        expected = ra.roi_align(features, boxes, 1, **options)
        got = ra.roi_align(features, boxes, 1, device=device, **options)
        assert expected[1].item() > 1 << 32
        assert (got[0].item(), got[1].item()) == (expected[0].item(), expected[1].item())


# Limits, checks, batches and threads change no bit.


@pytest.mark.parametrize("op", OPS)
def test_small_limits_give_the_same_bits(op, device):
    few_groups = ra.gpu.Device(allow_cpu=True, max_workgroups=3)
    small = {size: ra.gpu.Device(allow_cpu=True, max_binding_bytes=size) for size in (8192, 16384, 1 << 20)}
    for case in cases.some(op, EVERY):
        wants_argmax = case.operator.wanting_argmax(case.options)
        expected = case.run("gpu", **wants_argmax)
        quad = 4 * 8 * max(np.prod(case.shape[2:]), expected[0][0, 0].size if case.has_argmax else expected[0, 0].size)
        for limited in [few_groups, *(device for size, device in small.items() if size > quad)]:
            got = case.run("gpu", **wants_argmax, device=limited)
            np.testing.assert_array_equal(got, expected, err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_checked_shaders_give_the_same_bits(op, device):
    checked = ra.gpu.Device(allow_cpu=True, checked=True)
    for case in cases.some(op, EVERY):
        np.testing.assert_array_equal(case.run("gpu", device=checked), case.run("gpu"), err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_calls_repeat_bit_for_bit(op, device):
    for case in list(cases.some(op, EVERY))[:5]:
        expected = case.run("gpu")
        for _ in range(20):
            np.testing.assert_array_equal(case.run("gpu"), expected, err_msg=str(case))


def test_a_batch_gives_the_same_bits(device, features):
    there = device.features(features)
    expected = ra.roi_align(there, BOXES, 3).numpy()
    with device.batch():
        pooled = [ra.roi_align(there, BOXES, 3) for _ in range(600)]
        with device.batch():
            inner = ra.roi_pool(there, BOXES, 2)
        early = pooled[0].numpy()
        late = ra.roi_align(there, BOXES, 3)
    np.testing.assert_array_equal(early, expected)
    for result in [*pooled[::97], late]:
        np.testing.assert_array_equal(result.numpy(), expected)
    np.testing.assert_array_equal(inner.numpy(), ra.roi_pool(features, BOXES, 2))


def test_threads_share_a_device(device, features):
    there = device.features(features)
    expected = ra.roi_align(there, BOXES, 3).numpy()
    wrong = []

    def work():
        for _ in range(30):
            pooled = ra.roi_align(device.features(features), BOXES, 3)
            if not np.array_equal(pooled.numpy(), expected):
                wrong.append(pooled)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# NumPy reads them.


def test_numpy_gets_the_array(device, features):
    there = device.features(features)
    for array in (np.asarray(there), np.array(there), np.asarray(there, dtype=np.float32)):
        assert type(array) is np.ndarray
        np.testing.assert_array_equal(array, features)
    wide = np.asarray(there, dtype=np.float64)
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide, features)
    last = device.features(np.moveaxis(features, 1, -1), layout="NHWC")
    np.testing.assert_array_equal(np.asarray(last), np.moveaxis(features, 1, -1))


def test_an_array_on_a_device_cannot_be_viewed(device, features):
    there = device.features(features)
    with pytest.raises(
        ValueError, match="copy=False: the array is on a device, and reading it makes a copy; leave copy out"
    ):
        there.__array__(copy=False)
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        with pytest.raises(
            ValueError, match="copy=False: the array is on a device, and reading it makes a copy; leave copy out"
        ):
            np.asarray(there, copy=False)


def test_arrays_are_not_downloaded_unasked(device, features):
    """Functions that need an array on the CPU say so."""
    there = device.features(features)
    for name, call in (
        ("boxes", lambda: ra.roi_align(features, there, 2)),
        ("batch_indices", lambda: ra.roi_align(features, BOXES[:, 1:], 2, batch_indices=there)),
        ("features", lambda: ra.roi_align_box_gradient(np.ones((3, 7, 2, 2), np.float32), there, BOXES)),
        ("features", lambda: device.features(there)),
    ):
        with pytest.raises(
            TypeError, match=rf"^{name} must be a NumPy array here \(download it with \.numpy\(\)\), got"
        ):
            call()
