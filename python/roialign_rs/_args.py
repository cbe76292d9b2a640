"""Make arguments convenient; whether they are valid is decided in Rust.

What comes as the core wants it (arrays of the right kind, pairs) passes untouched: these functions run on every call.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._core import Device, DeviceArray

Boxes: TypeAlias = ArrayLike | Sequence[ArrayLike]
"""(K, 4) or (K, 5), or one (K_i, 4) for each image."""

Pair: TypeAlias = SupportsIndex | tuple[SupportsIndex, SupportsIndex]
"""One integer for both axes, or (y, x)."""

_FLOATS = "fd"
"""Type characters of the dtypes that the core takes."""


def features(value: Any) -> NDArray[Any] | DeviceArray:
    """Leave what lies on a device there, and view anything else as an array."""
    return value if isinstance(value, (np.ndarray, DeviceArray)) else array(value)


def argmax(value: ArrayLike | DeviceArray | None) -> NDArray[np.int64] | DeviceArray | None:
    """Leave what lies on a device there, and make int64 of any other integers."""
    return value if value is None or isinstance(value, DeviceArray) else indices("argmax", value)


def array(value: Any) -> NDArray[Any]:
    """View anything array-like as an array, without a copy where that is possible."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array_interface__"):
        if str(getattr(value, "dtype", "")).endswith("bfloat16"):
            return _bfloat16(value)
        return np.from_dlpack(value)
    return np.asarray(value)


def _bfloat16(tensor: Any) -> NDArray[Any]:
    """View a bfloat16 tensor, which NumPy's from_dlpack does not know."""
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise TypeError("bfloat16 tensors need the package ml_dtypes: pip install ml_dtypes") from None
    return _core.bfloat16_from_dlpack(tensor.__dlpack__(), np.dtype(bfloat16))


def device(value: Any) -> Device | None:
    """Take what the core knows of a `gpu.Device`."""
    if value is None:
        return None
    core = getattr(value, "_core", None)
    if not isinstance(core, Device):
        raise TypeError(f"device must be a roialign_rs.gpu.Device, got {type(value).__name__}")
    return core


def boxes(value: Boxes, batch_indices: ArrayLike | None, images: int) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Make one table of boxes, and the image of each where the table does not say it.

    Parameters
    ----------
    value
        Boxes in any of the documented forms.
    batch_indices
        As documented.
    images
        Number of images.

    Returns
    -------
    table
        (K, 4) or (K, 5), float32 or float64.
    batch_indices
        (K,) int64, or None.
    """
    if type(value) is np.ndarray and value.ndim == 2 and value.dtype.char in _FLOATS and batch_indices is None:
        return value, None
    if isinstance(value, (list, tuple)) and _is_per_image(value, batch_indices is None and images != 1):
        if batch_indices is not None:
            raise ValueError("batch_indices cannot be given with a list of boxes for each image")
        if len(value) != images:
            plural = "" if images == 1 else "s"
            raise ValueError(f"boxes: expected one array for each of {images} image{plural}, got {len(value)}")
        parts = [_floats(array(part)) for part in value]
        for i, part in enumerate(parts):
            if part.size and (part.ndim != 2 or part.shape[1] != 4):
                raise ValueError(f"boxes[{i}]: expected shape (K, 4), got {part.shape}")
        counts = [len(part) for part in parts]
        table = np.concatenate([part.reshape(-1, 4) for part in parts]) if parts else np.empty((0, 4))
        return table, np.repeat(np.arange(images), counts)
    table = _floats(array(value))
    if batch_indices is None:
        return table, None
    return table, _indices(array(batch_indices), len(table))


def shape(name: str, value: Sequence[SupportsIndex]) -> tuple[int, int, int, int]:
    """Make a shape of four integers."""
    try:
        a, b, c, d = (operator.index(side) for side in value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be four integers, got {value!r}") from None
    return a, b, c, d


def indices(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """Make int64 of any integers."""
    table = array(value)
    if table.dtype.kind not in "iu" or not table.dtype.isnative:
        raise TypeError(f"{name}: dtype {table.dtype} is not supported; use integers")
    return table.astype(np.int64, copy=False)


def _is_per_image(value: Sequence[Any], if_empty: bool) -> bool:
    return any(np.ndim(part) > 1 or np.size(part) == 0 for part in value) if value else if_empty


def _floats(table: NDArray[Any]) -> NDArray[Any]:
    if table.size == 0 and table.ndim == 1:
        return np.empty((0, 4))
    if table.dtype.char in _FLOATS:
        return table
    if not table.dtype.isnative:
        return table
    if table.dtype == np.float16 or table.dtype.name == "bfloat16":
        return table.astype(np.float32)
    return table.astype(np.float64) if table.dtype.kind in "iu" else table


def _indices(table: NDArray[Any], count: int) -> NDArray[np.int64]:
    if table.size == 0 and count == 0:
        return np.empty(0, np.int64)
    table = indices("batch_indices", table)
    if table.shape != (count,):
        raise ValueError(f"batch_indices: expected shape ({count},), got {table.shape}")
    return table
