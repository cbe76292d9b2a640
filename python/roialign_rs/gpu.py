"""RoI operators on a GPU, through Vulkan, Metal or Direct3D 12 (experimental).

Upload features once with `Device.features`, pass the returned `DeviceArray` to operators as often as needed, and
download results with ``DeviceArray.numpy``. `devices` lists the GPUs of the machine. No driver is loaded before
`devices` or `Device` is used.

The GPU path is experimental: it has been tested on Mesa's software Vulkan driver lavapipe alone, not on a hardware GPU.

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
    """Description of a graphics adapter: a GPU, or a driver that emulates one on the CPU."""

    name: str
    kind: str
    backend: str
    driver: str
    float64: bool


for _field, _text in {
    "name": "Name of the adapter, from its driver: str.",
    "kind": 'Kind of adapter: "discrete", "integrated", "virtual", "cpu" or "other".',
    "backend": 'Graphics API: "vulkan", "metal" or "dx12".',
    "driver": "Name and version of the driver: str.",
    "float64": "Whether the adapter supports float64: bool.",
}.items():
    getattr(DeviceInfo, _field).__doc__ = _text


def devices() -> list[DeviceInfo]:
    """List the graphics adapters of this machine, including those that compute on the CPU. None of them is opened.

    Returns
    -------
    list of DeviceInfo
        Empty if no driver is installed.

    Raises
    ------
    GpuError
        In a child process, if its parent used a GPU before the fork.

    See Also
    --------
    Device : Open an adapter.

    Notes
    -----
    The GPU path is experimental: it has been tested on Mesa's software Vulkan driver lavapipe alone, not on a hardware
    GPU.
    """
    return [DeviceInfo(*info) for info in _core.devices()]


class Device:
    """A GPU that is open for computation.

    It stays open until `close`, the end of a ``with`` block, or the deletion of the last object that uses it.

    Parameters
    ----------
    name : str, default "auto"
        Part of the name of an adapter, in upper or lower case; `devices` lists them. "auto" opens the best one.
    allow_cpu : bool, default False
        Accept an adapter that computes on the CPU. It is slower than the CPU path of this package, but useful for
        tests.
    checked : bool, default False
        Compile shaders with bounds checks, to look for errors in this package. Results are the same.
    max_workgroups : int, optional
        Maximum number of workgroups of a dispatch along each axis, at least 1, if lower than that of the device. For
        tests: results are the same.
    max_binding_bytes : int, optional
        Maximum size in bytes of a part of an array, at least 256, if lower than that of the device. For tests: results
        are the same.

    Raises
    ------
    GpuError
        If no adapter has this name, or it cannot be opened. The message lists the adapters, and says what to install.
    ValueError
        If a limit is too small.
    TypeError
        If the type of an argument is not supported.

    See Also
    --------
    devices : List the adapters of this machine.

    Notes
    -----
    The GPU path is experimental: it has been tested on Mesa's software Vulkan driver lavapipe alone, not on a hardware
    GPU.
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
        """Name, kind, backend and driver of the adapter, as a `DeviceInfo`."""
        return DeviceInfo(*self._core.info())

    def features(self, x: ArrayLike, *, layout: Literal["NCHW", "NHWC"] = "NCHW") -> DeviceArray:
        """Upload an array.

        Parameters
        ----------
        x : (N, C, H, W) array of float16, bfloat16, float32, float64 or uint8
            Array to upload, with any strides. uint8 becomes float32. With ``layout="NHWC"`` the shape is (N, H, W, C).
        layout : {"NCHW", "NHWC"}, default "NCHW"
            Order of the axes. Pass the same ``layout`` to operators.

        Returns
        -------
        DeviceArray
            The array on the device. Pass it as features to operators, or as ``grad_output`` to backward functions.

        Raises
        ------
        GpuError
            If the device is out of memory, closed or lost, or if it does not support float64.
        ValueError
            If the array does not have four axes.
        TypeError
            If the dtype is not supported.
        """
        return self._core.features(array(x), layout)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Submit the work of several calls to the device at once, which saves time for small calls.

        Calls in the ``with`` block are collected. They are submitted at its end, or when a result is downloaded.

        Examples
        --------
        >>> import roialign_rs as ra
        >>> with dev.batch():                                               # doctest: +SKIP
        ...     pooled = [ra.roi_align(features, boxes, 7) for features, boxes in images]
        """
        self._core.begin_batch()
        try:
            yield
        finally:
            self._core.end_batch()

    def synchronize(self) -> None:
        """Wait until all calls on the device have finished."""
        self._core.synchronize()

    def close(self) -> None:
        """Close the device and free all arrays on it. Calls that have not finished are dropped.

        Later calls that need the device or its arrays raise a GpuError. Closing again does nothing.

        Raises
        ------
        GpuError
            In a child process that was forked after the device was opened.
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
