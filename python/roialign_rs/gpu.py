"""Operators on a GPU of any vendor, through Vulkan, Metal or Direct3D 12.

Upload features once with `Device.features`, call operators on what comes back as often as needed, and download what is
wanted with `DeviceArray.numpy`. Nothing of the system is touched before `devices` or `Device` is first called.

Examples
--------
>>> import numpy as np
>>> import roialign_rs as ra
>>> with ra.gpu.Device() as dev:                                    # doctest: +SKIP
...     features = dev.features(np.ones((1, 256, 50, 50), np.float32))
...     pooled = ra.roi_align(features, [[0, 0, 20, 20]], 7)
...     pooled.numpy().shape
(1, 256, 7, 7)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple

from numpy.typing import ArrayLike

from roialign_rs import _core
from roialign_rs._args import array
from roialign_rs._core import DeviceArray

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Device", "DeviceArray", "DeviceInfo", "devices"]


class DeviceInfo(NamedTuple):
    """An adapter that the system offers."""

    name: str
    kind: str
    backend: str
    driver: str
    float64: bool


for _field, _text in {
    "name": "As the driver calls it.",
    "kind": '"discrete", "integrated", "virtual", "cpu" or "other".',
    "backend": '"vulkan", "metal" or "dx12".',
    "driver": "Name and version.",
    "float64": "Whether it computes in float64.",
}.items():
    getattr(DeviceInfo, _field).__doc__ = _text


def devices() -> list[DeviceInfo]:
    """List the adapters of this machine, those that compute on the CPU included; none of them is opened.

    Returns
    -------
    list of DeviceInfo
        Empty where there is no driver.

    Raises
    ------
    GpuError
        In a child of a process that has used a GPU before it forked.
    """
    return [DeviceInfo(*info) for info in _core.devices()]


class Device:
    """An open device, until `close` or the end of a ``with`` block, or until nothing refers to it.

    Parameters
    ----------
    name : str
        Part of the adapter's name, in any case; "auto" takes the best one.
    allow_cpu : bool
        Whether an adapter that computes on the CPU will do. It is slower than this package's own CPU path, and good
        for tests.
    checked : bool
        Keep the shader compiler's bounds checks. Results are the same.
    max_workgroups : int, optional
        Most workgroups of a dispatch along each axis, below the device's own limit. Results are the same.
    max_binding_bytes : int, optional
        Largest part of an array in bytes, below the device's own limit. Results are the same.

    Raises
    ------
    GpuError
        If there is no such adapter, saying what was found and what to install; or if it cannot be opened.
    ValueError
        If a limit is too small.
    TypeError
        For an argument of a wrong kind.
    """

    def __init__(
        self,
        name: str = "auto",
        *,
        allow_cpu: bool = False,
        checked: bool = False,
        max_workgroups: int | None = None,
        max_binding_bytes: int | None = None,
    ) -> None:
        self._core = _core.Device(name, allow_cpu, checked, max_workgroups, max_binding_bytes)

    @property
    def info(self) -> DeviceInfo:
        """What it is."""
        return DeviceInfo(*self._core.info())

    def features(self, x: ArrayLike, *, layout: Literal["NCHW", "NHWC"] = "NCHW") -> DeviceArray:
        """Upload features.

        Parameters
        ----------
        x : (N, C, H, W) array of float16, bfloat16, float32, float64 or uint8
            With any strides. uint8 becomes float32.
        layout : {"NCHW", "NHWC"}
            Order of its axes; operators on the result must be called with the same one.

        Returns
        -------
        DeviceArray
            For use as the features of operators, or as the gradients that come into their backward functions.

        Raises
        ------
        GpuError
            If the device is out of memory, or does not compute in float64 when that is asked for.
        """
        return self._core.features(array(x), layout)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Collect the work of several calls and hand it to the device at once; ``numpy()`` hands over at once, too."""
        self._core.begin_batch()
        try:
            yield
        finally:
            self._core.end_batch()

    def synchronize(self) -> None:
        """Wait until everything that was asked for is done."""
        self._core.synchronize()

    def close(self) -> None:
        """Give up the device and the memory of all arrays on it; what is still to be computed is dropped.

        Calls that need the device or its arrays are a GpuError from then on. A second `close` does nothing.

        Raises
        ------
        GpuError
            In a child of a process that has opened the device before it forked.
        """
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        info = self.info
        return f"<Device {info.name!r} ({info.kind}, {info.backend})>"
