"""Where operators can run: how tests call them there, and whether that is possible here."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import roialign_rs as ra


@cache
def has_vulkan_loader() -> bool:
    """Whether this Linux machine has the library through which drivers are found."""
    try:
        ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return False
    return True


@cache
def gpu_device() -> ra.gpu.Device | None:
    """The best GPU, a software one if there is no other; None without a driver."""
    try:
        return ra.gpu.Device(allow_cpu=True)
    except ra.GpuError:
        return None


BACKENDS: dict[str, Callable[[], bool]] = {"cpu": lambda: True, "gpu": lambda: gpu_device() is not None}
"""Whether a backend can run here. Tests that use the fixture ``backend`` run once on each."""


def arguments(backend: str) -> dict[str, Any]:
    """What makes an operator run there."""
    return {"device": gpu_device()} if backend == "gpu" else {}
