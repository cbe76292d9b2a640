"""Errors of devices: no driver, a wrong one, a lost, closed or full device, a fork."""

import os
import sys

import backends
import numpy as np
import pytest
from subprocesses import python

import roialign_rs as ra

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the driver is looked for in Linux's way")


def opened():
    """A device that the test may lose."""
    if backends.gpu_device() is None:
        pytest.skip("no gpu here")
    return ra.gpu.Device(allow_cpu=True)


def test_an_adapter_on_the_cpu_is_refused_unless_it_is_asked_for(device):
    if any(info.kind != "cpu" for info in ra.gpu.devices()):
        pytest.skip("there is a GPU")
    name = ra.gpu.devices()[0].name
    for wanted in ("auto", name[:5]):
        with pytest.raises(
            ra.GpuError, match=r"only an adapter that computes on the CPU: .*\(cpu, vulkan\); .* allow_cpu"
        ):
            ra.gpu.Device(wanted)
    assert ra.gpu.Device(name[:5].upper(), allow_cpu=True).info.kind == "cpu"


def test_an_unknown_name_is_an_error_that_lists_what_there_is(device):
    with pytest.raises(ra.GpuError, match='no GPU whose name contains "no such thing" was found, only ') as error:
        ra.gpu.Device("no such thing", allow_cpu=True)
    assert "allow_cpu" not in str(error.value)


def test_an_unknown_name_is_not_answered_with_an_option_that_does_not_help(device):
    with pytest.raises(ra.GpuError, match='no GPU whose name contains "no such thing" was found, only ') as error:
        ra.gpu.Device("no such thing")
    assert "allow_cpu" not in str(error.value)


@pytest.mark.parametrize("limit", [{"max_workgroups": 0}, {"max_binding_bytes": 100}])
def test_limits_have_a_lower_end(device, limit):
    with pytest.raises(ValueError, match="must be at least"):
        ra.gpu.Device(allow_cpu=True, **limit)


def test_what_no_binding_can_hold_is_an_error(device):
    huge = np.broadcast_to(np.float32(0), (1, 4, 60_000, 60_000))
    with pytest.raises(
        ra.GpuError, match=r"is too large for this device: .* one binding holds at most .*; use the CPU"
    ):
        device.features(huge)


def test_a_lost_device_says_so(device):
    device = ra.gpu.Device(allow_cpu=True)
    there = device.features(np.ones((1, 4, 8, 8), np.float32))
    device._core.destroy()
    for call in (
        there.numpy,
        lambda: ra.roi_align(there, [[0, 0, 4, 4]], 2),
        lambda: device.features(np.ones((1, 1, 2, 2))),
    ):
        with pytest.raises(ra.GpuError, match=r"was lost .* open a new Device"):
            call()


def test_a_closed_device_says_so():
    with opened() as device:
        there = device.features(np.ones((1, 4, 8, 8), np.float32))
        pooled = ra.roi_align(there, [[0, 0, 4, 4]], 2)
        assert pooled.numpy().min() == 1
    device.close()
    for call in (
        there.numpy,
        pooled.numpy,
        device.synchronize,
        lambda: np.asarray(there),
        lambda: ra.roi_align(there, [[0, 0, 4, 4]], 2),
        lambda: ra.roi_align_backward(pooled, [[0, 0, 4, 4]], (1, 4, 8, 8)),
        lambda: ra.roi_align(np.ones((1, 1, 2, 2)), [[0, 0, 4, 4]], 2, device=device),
        lambda: device.features(np.ones((1, 1, 2, 2))),
        lambda: device.batch().__enter__(),
    ):
        with pytest.raises(ra.GpuError, match=r"the device .* was closed; open a new Device"):
            call()
    assert device.info.kind in repr(device)
    assert opened().features(np.ones((1, 1, 2, 2))).numpy().all()


def test_a_block_that_fails_closes_its_device():
    with pytest.raises(ZeroDivisionError), opened() as device:
        raise ZeroDivisionError
    with pytest.raises(ra.GpuError, match="was closed"):
        device.synchronize()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": 0}, r'name must be "auto" or part of the name of an adapter in roialign_rs\.gpu\.devices\(\), got 0'),
        ({"name": None}, 'name must be "auto" or part of the name of an adapter'),
        ({"allow_cpu": "yes"}, "allow_cpu must be True or False, got 'yes'"),
        ({"checked": 2}, "checked must be True or False, got 2"),
        ({"max_workgroups": 1.5}, r"max_workgroups must be an integer, got 1\.5"),
        ({"max_binding_bytes": "1"}, "max_binding_bytes must be an integer, got '1'"),
    ],
)
def test_arguments_of_a_wrong_kind(arguments, message):
    with pytest.raises(TypeError, match=message):
        ra.gpu.Device(**arguments)


@pytest.mark.parametrize("name", ["max_workgroups", "max_binding_bytes"])
def test_limits_below_zero(name):
    with pytest.raises(ValueError, match=f"{name} must be positive, got -5"):
        ra.gpu.Device(**{name: -5})


def test_limits_beyond_the_device_change_nothing(device):
    features = np.ones((1, 1, 4, 4))
    limited = ra.gpu.Device(allow_cpu=True, max_workgroups=2**40, max_binding_bytes=10**30)
    assert limited.features(features).numpy().all()


def test_layouts_of_a_wrong_kind(device):
    with pytest.raises(TypeError, match='layout must be "NCHW" or "NHWC", got 3'):
        device.features(np.ones((1, 1, 2, 2)), layout=3)
    with pytest.raises(TypeError, match="features: masked arrays are not supported"):
        device.features(np.ma.ones((1, 1, 2, 2)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_is_told(device):
    printed = python(
        """
import numpy as np, roialign_rs as ra
import os, sys
device = ra.gpu.Device(allow_cpu=True)
there = device.features(np.ones((1, 4, 8, 8), np.float32))
child = os.fork()
if child == 0:
    for call in (there.numpy, ra.gpu.devices, lambda: ra.gpu.Device(allow_cpu=True), lambda: there and ra.roi_align(there, [[0, 0, 4, 4]], 2)):
        try:
            call()
        except ra.GpuError as error:
            print("did not survive" if "do not survive a fork" in str(error) else error, flush=True)
    del there, device
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert there.numpy().all()
"""
    )
    assert printed.split("\n") == ["did not survive"] * 4


WHAT_IS_FOUND = """
import roialign_rs as ra
print("found", *[info.kind for info in ra.gpu.devices()])
try:
    ra.gpu.Device()
except ra.GpuError as error:
    print(error)
print(ra.roi_align([[[[1.0]]]], [[0, 0, 1, 1]], 1).item())
"""


@ON_LINUX
def test_a_machine_without_a_loader_is_told_what_to_install(tmp_path):
    (tmp_path / "libvulkan.so.1").write_bytes(b"")
    found, error, pooled = python(WHAT_IS_FOUND, LD_LIBRARY_PATH=str(tmp_path)).split("\n")
    assert found == "found"
    assert "the Vulkan loader libvulkan.so.1 is missing or broken" in error
    assert "apt install libvulkan1" in error
    assert "install the GPU's Vulkan driver" in error
    assert pooled == "1.0"


@ON_LINUX
@pytest.mark.skipif(not backends.has_vulkan_loader(), reason="no Vulkan loader (libvulkan.so.1) here")
def test_a_machine_with_a_loader_but_no_driver_is_told_what_to_install():
    nowhere = {"VK_DRIVER_FILES": "/nowhere.json", "VK_ICD_FILENAMES": "/nowhere.json"}
    found, error, pooled = python(WHAT_IS_FOUND, **nowhere).split("\n")
    assert found == "found"
    assert error.startswith("no GPU was found: no graphics driver reported an adapter; install the GPU's Vulkan driver")
    assert "libvulkan1" not in error
    assert pooled == "1.0"


@ON_LINUX
def test_a_machine_with_only_a_driver_on_the_cpu_is_told_what_to_install(device):
    if any(info.kind != "cpu" for info in ra.gpu.devices()):
        pytest.skip("there is a GPU")
    found, error, pooled = python(WHAT_IS_FOUND).split("\n")
    assert found == "found cpu"
    assert device.info.name in error
    assert "only an adapter that computes on the CPU: " in error
    assert "; install the GPU's Vulkan driver" in error
    assert "allow_cpu=True" in error
    assert pooled == "1.0"


@ON_LINUX
def test_importing_touches_nothing():
    code = """
import os, roialign_rs
print("libvulkan" in open("/proc/self/maps").read(), len(os.listdir("/proc/self/task")))
"""
    assert python(code, OPENBLAS_NUM_THREADS="1") == "False 1"


@ON_LINUX
def test_a_full_device_says_so_and_goes_on(device):
    if device.info.kind != "cpu":
        pytest.skip("only a software driver's memory can be limited from here")
    printed = python(
        """
import numpy as np, roialign_rs as ra
import resource
device = ra.gpu.Device(allow_cpu=True)
features = np.broadcast_to(np.float32(1), (1, 16, 512, 512))
kept = [device.features(features)]
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (200 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    for _ in range(50):
        kept.append(device.features(features))
except ra.GpuError as error:
    print("out of memory" in str(error))
kept.clear()
print(ra.roi_align(device.features(features), [[0, 0, 9, 9]], 1).numpy().min())
"""
    )
    assert printed == "True\n1.0"
