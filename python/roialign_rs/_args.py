"""Converts arguments to what the Rust core takes. The core validates them.

Arguments that are already right (arrays of the right kind, pairs) pass unchanged, because these functions run on every
call.
"""

from __future__ import annotations

import numbers
import operator
import reprlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, SupportsIndex, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._core import Device, DeviceArray

Boxes: TypeAlias = ArrayLike | Sequence[ArrayLike]
"""A (K, 4) or (K, 5) array, one box as (4,) or (5,), or a list of one (K_i, 4) array for each image."""

Pair: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
"""One integer for both axes, or (y, x)."""

_T = TypeVar("_T")

_FLOATS = "fd"
"""Type characters of the dtypes of boxes that the core takes: float32 and float64."""


def features(value: Any, name: str = "features") -> NDArray[Any] | DeviceArray:
    """Return a DeviceArray as it is, and anything else as a NumPy array."""
    if type(value) is np.ndarray:
        return value
    return value if isinstance(value, DeviceArray) else array(value, name)


def argmax(value: ArrayLike | DeviceArray | None) -> NDArray[np.int64] | DeviceArray | None:
    """Return a DeviceArray as it is, and any other integers as int64."""
    return value if value is None or isinstance(value, DeviceArray) else indices("argmax", value)


def array(value: Any, name: str = "features") -> NDArray[Any]:
    """View an array-like as a NumPy array, without a copy if possible. Errors name the argument."""
    if type(value) is np.ndarray:
        return value
    if isinstance(value, DeviceArray):
        raise TypeError(f"{name} must be a NumPy array here (download it with .numpy()), got {value!r}")
    if isinstance(value, np.ndarray):
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(f"{name}: masked arrays are not supported; use array.filled(...)")
        return value
    try:
        return _viewed(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    except (BufferError, RuntimeError, TypeError) as error:
        raise TypeError(f"{name}: {error}") from error


def _viewed(value: Any) -> NDArray[Any]:
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array_interface__"):
        if str(getattr(value, "dtype", "")).endswith("bfloat16"):
            return _bfloat16(value)
        return np.from_dlpack(value)
    return np.asarray(value)


def _bfloat16(tensor: Any) -> NDArray[Any]:
    """View a bfloat16 tensor, which NumPy's ``from_dlpack`` does not support."""
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise TypeError("bfloat16 tensors need the package ml_dtypes: pip install ml_dtypes") from None
    return _core.bfloat16_from_dlpack(tensor.__dlpack__(), np.dtype(bfloat16))


def device(value: Any) -> Device | None:
    """Return the core's object of a `gpu.Device`."""
    if value is None:
        return None
    core = getattr(value, "_core", None)
    if not isinstance(core, Device):
        raise TypeError(f"device must be a roialign_rs.gpu.Device, got {type(value).__name__}")
    return core


def boxes(value: Boxes, batch_indices: ArrayLike | None, images: int) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Convert boxes in any of the documented forms to one table.

    Parameters
    ----------
    value
        Boxes in any of the documented forms.
    batch_indices
        Image of each box, if the boxes do not have it.
    images
        Number of images.

    Returns
    -------
    table
        (K, 4) or (K, 5) array of float32 or float64.
    batch_indices
        (K,) array of int64, or None if the table has the index or all boxes belong to one image.
    """
    if type(value) is np.ndarray and value.ndim == 2 and value.dtype.char in _FLOATS and batch_indices is None:
        return value, None
    if isinstance(value, (list, tuple)):
        parts = [array(part, f"boxes[{i}]") for i, part in enumerate(value)]
        if any(part.ndim > 1 or part.size == 0 for part in parts) or (
            not parts and batch_indices is None and images != 1
        ):
            return _per_image(parts, batch_indices, images)
    table = _floats(array(value, "boxes"), "boxes")
    if table.ndim == 1 and table.size in (4, 5):
        table = table[None]
    if batch_indices is None or table.ndim != 2:  # the core says what is wrong with the table
        return table, None
    return table, _indices(array(batch_indices, "batch_indices"), len(table))


def _per_image(
    arrays: list[NDArray[Any]], batch_indices: ArrayLike | None, images: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Join a list of one array of boxes for each image."""
    if batch_indices is not None:
        raise ValueError("batch_indices cannot be given with a list of one array for each image; leave it out")
    if len(arrays) != images:
        plural = "" if images == 1 else "s"
        raise ValueError(f"boxes: expected a list of {images} array{plural}, one for each image, got {len(arrays)}")
    parts = [_floats(part, f"boxes[{i}]") for i, part in enumerate(arrays)]
    for i, part in enumerate(parts):
        if part.size and (part.ndim != 2 or part.shape[1] != 4):
            raise ValueError(f"boxes[{i}]: expected shape (K, 4), got {part.shape}")
    parts = [part.reshape(-1, 4) for part in parts]
    # Boxes are computed in the dtype of the table, which an image without any must not change.
    filled = [part for part in parts if len(part)]
    typed = [part for part, given in zip(parts, arrays, strict=True) if given.ndim > 1]
    table = np.concatenate(filled or typed or [np.empty((0, 4))])
    return table, np.repeat(np.arange(images), [len(part) for part in parts])


def shape(name: str, value: Sequence[SupportsIndex]) -> tuple[int, int, int, int]:
    """Return a shape as four integers."""
    try:
        a, b, c, d = (operator.index(side) for side in value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be four integers, such as features.shape, got {shown(value)}") from None
    return a, b, c, d


def shown(value: Any) -> str:
    """Format a value for a message: an array by its shape, a long sequence by its first items."""
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else reprlib.repr(value)


def sequence(name: str, value: Iterable[_T]) -> list[_T]:
    """Return any iterable as a list."""
    try:
        return list(value)
    except TypeError:
        raise TypeError(f"{name} must be a sequence, got {type(value).__name__}") from None


def indices(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """Convert integers of any kind to int64."""
    table = array(value, name)
    if table.shape == (0,):  # NumPy takes an empty list for floats
        return np.empty(0, np.int64)
    if table.dtype == object:
        table = _of_numbers(name, table, numbers.Integral, np.int64)
    if table.dtype.kind not in "iu" or not table.dtype.isnative:
        raise TypeError(f"{name}: dtype {table.dtype} is not supported; use integers")
    return table.astype(np.int64, copy=False)


def box(value: ArrayLike) -> NDArray[np.float64]:
    """Convert one box ``x1, y1, x2, y2`` to a (4,) array of float64."""
    corners = array(value, "box")
    if corners.shape != (4,):
        raise ValueError(f"box: expected four numbers x1, y1, x2, y2, got shape {corners.shape}")
    corners = _floats(corners, "box").astype(np.float64)
    if not np.isfinite(corners).all():
        raise ValueError(f"box: coordinates must be finite, got {corners.tolist()}")
    return corners


def _floats(table: NDArray[Any], name: str) -> NDArray[Any]:
    """Convert real numbers of any kind to float32 or float64."""
    if table.size == 0 and table.ndim == 1:
        return np.empty((0, 4))
    dtype = table.dtype
    if dtype.char in _FLOATS and dtype.isnative:
        return table
    if dtype.char == "O":
        return _of_numbers(name, table, (numbers.Real, Decimal), np.float64)
    if dtype.isnative and (dtype == np.float16 or dtype.name == "bfloat16"):
        return table.astype(np.float32)
    if dtype.isnative and dtype.kind in "iu":
        return table.astype(np.float64)
    raise TypeError(f"{name}: dtype {dtype} is not supported; use float32 or float64")


def _of_numbers(name: str, table: NDArray[Any], kind: type | tuple[type, ...], dtype: type) -> NDArray[Any]:
    """Convert an object array of numbers, such as columns of a table with text. Text in it is an error, unlike in NumPy."""
    for item in table.flat:
        # To Python, True is an integer, and NumPy's durations are integers.
        if not isinstance(item, kind) or isinstance(item, (bool, np.timedelta64)):
            expected = "integers" if kind is numbers.Integral else "real numbers"
            raise TypeError(f"{name}: expected {expected}, got {shown(item)} in an object array")
    try:
        return table.astype(dtype)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def _indices(table: NDArray[Any], count: int) -> NDArray[np.int64]:
    if table.size == 0 and count == 0:
        return np.empty(0, np.int64)
    table = indices("batch_indices", table)
    if table.shape != (count,):
        raise ValueError(f"batch_indices: expected shape ({count},), got {table.shape}")
    return table
