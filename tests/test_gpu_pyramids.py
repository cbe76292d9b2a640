"""Feature pyramids on devices: one dispatch reads all maps, and gives the bits of one call for each map."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
from checks import assert_within, largest_finite
from test_multiscale import SCALES, pyramid, random_boxes
from tolerances import BOUNDS

import roialign_rs as ra


@dataclass
class Call:
    """Maps and boxes of a call, and a gradient for its result."""

    maps: list
    boxes: np.ndarray
    options: dict

    @property
    def shapes(self):
        return [features.shape for features in self.maps]

    @property
    def grads(self):
        shape = (len(self.boxes), self.shapes[0][1], 3, 2)
        return np.random.default_rng(3).standard_normal(shape).astype(self.maps[0].dtype)

    def forward(self, maps=None, **more):
        return ra.multiscale_roi_align(maps or self.maps, self.boxes, (3, 2), **{**self.options, **more})

    def backward(self, grads=None, **more):
        grads = self.grads if grads is None else grads
        return ra.multiscale_roi_align_backward(grads, self.boxes, self.shapes, **{**self.options, **more})


def call(seed=0, dtype=np.float32, channels=19, **options):
    return Call(
        pyramid(seed, dtype=dtype, channels=channels), random_boxes(seed, 90), {"spatial_scales": SCALES, **options}
    )


def there(device, arrays):
    return [device.features(array) for array in arrays]


def download(arrays):
    return [array.numpy() for array in arrays]


def same(actual, expected):
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"aligned": False, "sampling_ratio": 2}, {"rule": "torchvision"}], ids=str)
def test_devices_do_what_the_cpu_does(device, dtype, options):
    one = call(dtype=dtype, **options)
    bound, _ = BOUNDS["transpose", np.dtype(dtype).name]
    for actual, expected in [
        ([one.forward(device=device)], [one.forward()]),
        (one.backward(device=device), one.backward()),
    ]:
        for ours, theirs in zip(actual, expected, strict=True):
            assert ours.dtype == dtype
            assert_within(ours, theirs, 2 * bound * max(largest_finite(theirs), largest_finite(one.maps[0])))


@pytest.mark.parametrize("channels", [1, 19, 40])
def test_one_dispatch_is_one_call_for_each_map(device, channels):
    one = call(channels=channels)
    maps = there(device, one.maps)
    stages = ra.assign_stages(one.boxes, 4, min_level=2)
    assert set(stages) == {0, 1, 2, 3}
    pooled = one.forward(maps)
    grads = there(device, [one.grads])[0]
    spread = one.backward(grads)
    assert all(isinstance(array, ra.gpu.DeviceArray) for array in (pooled, *spread))
    for stage, (features, scale) in enumerate(zip(maps, SCALES, strict=True)):
        mine = stages == stage
        expected = ra.roi_align(features, one.boxes[mine], (3, 2), spatial_scale=scale)
        np.testing.assert_array_equal(pooled.numpy()[mine], expected.numpy())
        part = device.features(one.grads[mine])
        expected = ra.roi_align_backward(part, one.boxes[mine], one.shapes[stage], spatial_scale=scale)
        np.testing.assert_array_equal(spread[stage].numpy(), expected.numpy())
    same([one.forward(device=device)], [pooled.numpy()])
    same(one.backward(device=device), download(spread))


def test_the_maps_are_read_by_one_dispatch(device):
    one = call(sampling_ratio=2)
    maps = there(device, one.maps)
    device._core.start_timer()
    one.forward(maps)
    assert [name for name, _ in device._core.stop_timer()] == ["Sum Single 4 maps"]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 11])
def test_any_number_of_maps(device, count):
    rng = np.random.default_rng(count)
    maps = [rng.standard_normal((2, 5, 30 - 2 * i, 31 - 2 * i)) for i in range(count)]
    boxes = random_boxes(count, 60)
    options = {"spatial_scales": [0.5 - 0.03 * i for i in range(count)], "stages": rng.integers(0, count, 60)}
    one = Call(maps, boxes, options)
    assert_within(one.forward(device=device), one.forward(), 1e-12 * largest_finite(maps[0]))
    for ours, theirs in zip(one.backward(device=device), one.backward(), strict=True):
        assert_within(ours, theirs, 1e-12 * max(largest_finite(theirs), 1))


def test_small_limits_give_the_same_bits(device):
    one = call(channels=21)
    expected, spread = one.forward(device=device), one.backward(device=device)
    limits = [{"max_workgroups": 3}, *({"max_binding_bytes": size} for size in (34_000, 70_000, 1 << 17, 1 << 20))]
    for limit in limits:
        limited = ra.gpu.Device(allow_cpu=True, **limit)
        same([one.forward(device=limited)], [expected])
        same(one.backward(device=limited), spread)
        maps = there(limited, one.maps)
        same([one.forward(maps).numpy()], [expected])


def test_channels_last(device):
    one = call()
    pooled, spread = one.forward(device=device), one.backward(device=device)
    last = Call([np.moveaxis(features, 1, -1) for features in one.maps], one.boxes, {**one.options, "layout": "NHWC"})
    np.testing.assert_array_equal(np.moveaxis(last.forward(device=device), -1, 1), pooled)
    results = last.backward(np.moveaxis(one.grads, 1, -1), device=device)
    same([np.moveaxis(result, -1, 1) for result in results], spread)
    maps = [device.features(features, layout="NHWC") for features in last.maps]
    assert last.forward(maps).layout == "NHWC"


def test_accumulate(device):
    one = call()
    spread = one.backward(device=device)
    outs, kept = [features.copy() for features in one.maps], there(device, one.maps)
    results = one.backward(out=outs, accumulate=True, device=device)
    assert all(result is out for result, out in zip(results, outs, strict=True))
    results = one.backward(device.features(one.grads), out=kept, accumulate=True)
    assert all(result is out for result, out in zip(results, kept, strict=True))
    same(download(kept), outs)
    for out, part, before in zip(outs, spread, one.maps, strict=True):
        assert_within(out, before.astype(np.float64) + part, 4e-6 * largest_finite(out))


def test_invalid_boxes(device):
    one = call()
    one.boxes[5, 3] = one.boxes[5, 1] - 5
    one.boxes[7, 1] = np.nan
    for invalid in ("zero", "nan"):
        pooled = one.forward(device=device, invalid=invalid)
        np.testing.assert_allclose(pooled, one.forward(invalid=invalid), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"boxes\[5\]"):
        one.forward(there(device, one.maps))


def test_no_boxes(device):
    one = call()
    one.boxes = one.boxes[:0]
    assert one.forward(there(device, one.maps)).numpy().shape == (0, 19, 3, 2)
    same(one.backward(device=device), [np.zeros(shape, np.float32) for shape in one.shapes])


def test_wrong_arrays(device):
    one = call()
    maps = there(device, one.maps)
    other = ra.gpu.Device(allow_cpu=True)

    def wrong(kind, message, maps, **more):
        with pytest.raises(kind, match=re.escape(message)):
            one.forward(maps, **more)

    message = "features_list: some arrays are on a device and some are not; upload all of them"
    wrong(ValueError, message, [*maps[:3], one.maps[3]])
    wrong(ValueError, "must be on one device", [*maps[:3], other.features(one.maps[3])])
    wrong(ValueError, "device must be the one that holds the arrays", maps, device=other)
    wrong(TypeError, "features_list: dtype float64", [*maps[:3], device.features(one.maps[3].astype(np.float64))])
    message = "features_list[3] has 2 images of 18 channels, features_list[0] has 2 of 19"
    wrong(ValueError, message, [*maps[:3], device.features(one.maps[3][:, 1:])])
    wrong(ValueError, 'layout must be "NHWC"', [*maps[:3], device.features(np.ones((2, 5, 7, 19)), layout="NHWC")])
    wrong(ValueError, "out cannot be given", maps, out=np.zeros((90, 19, 3, 2), np.float32))
    twice = Call([one.maps[0]] * 2, one.boxes, {"spatial_scales": [1 / 4, 1 / 8]})
    grads = device.features(one.grads)
    with pytest.raises(ValueError, match="out shares memory with an input"):
        twice.backward(grads, out=[maps[0], maps[0]])
