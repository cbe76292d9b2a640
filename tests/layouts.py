"""Functions that copy an array to another arrangement in memory: strides, order, gaps, alignment."""

from collections.abc import Callable

import numpy as np


def fortran(array):
    """First axis fastest."""
    return np.asfortranarray(array)


def channels_last(array):
    """NCHW view of NHWC memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def reversed_axes(array):
    """All strides negative."""
    flip = (slice(None, None, -1),) * array.ndim
    return array[flip].copy()[flip]


def every_other(array):
    """Gaps between the elements of every axis."""
    wide = np.zeros([2 * side for side in array.shape], array.dtype)
    part = wide[(slice(1, None, 2),) * array.ndim]
    part[...] = array
    return part


def part_of_larger(array):
    """Rows are dense, but lie inside a larger array."""
    wide = np.zeros([side + 3 for side in array.shape], array.dtype)
    part = wide[tuple(slice(1, side + 1) for side in array.shape)]
    part[...] = array
    return part


def misaligned(array):
    """Starts at an odd address."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    part = np.ndarray(array.shape, array.dtype, memory, 1)
    part[...] = array
    return part


def field_of_records(array):
    """Strides that are no multiple of the element."""
    records = np.zeros(array.shape, np.dtype([("pad", "u1"), ("value", array.dtype)]))
    records["value"] = array
    return records["value"]


LAYOUTS: list[Callable] = [
    fortran,
    channels_last,
    reversed_axes,
    every_other,
    part_of_larger,
    misaligned,
    field_of_records,
]
