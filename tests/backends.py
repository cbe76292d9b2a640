"""The backends that operators run on, CPU and GPU: how tests call them, and whether this machine has them."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import roialign_rs as ra


@cache
def has_vulkan_loader() -> bool:
    """Whether this Linux machine has the Vulkan loader, the library that finds drivers."""
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
"""Backend -> whether it can run here. Tests that use the fixture ``backend`` run once on each."""


def arguments(backend: str) -> dict[str, Any]:
    """Keywords that make an operator run on a backend."""
    return {"device": gpu_device()} if backend == "gpu" else {}
