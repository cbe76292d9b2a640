"""Tensors of other frameworks are read in place, through DLPack."""

import ctypes
import gc
import weakref

import ml_dtypes
import numpy as np
import pytest

import roialign_rs as ra
from roialign_rs._args import array

BOXES = np.array([[1, 1, 6, 5], [0, 2, 7, 7]], np.float32)


class Tensor:
    """An array that offers DLPack and nothing else."""

    def __init__(self, values):
        self.values = values
        self.dtype = f"framework.{values.dtype}"

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class Bfloat16Tensor(Tensor):
    """NumPy exports no bfloat16, so the type is written into the capsule of the same bytes as int16."""

    def __dlpack__(self):
        capsule = self.values.view(np.int16).__dlpack__()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        ctypes.c_uint8.from_address(pointer(capsule, b"dltensor") + 20).value = 4
        return capsule


def features(dtype):
    return np.random.default_rng(0).standard_normal((1, 20, 8, 8)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_tensors_are_read_in_place(dtype):
    values = features(dtype)
    assert np.shares_memory(array(Tensor(values)), values)
    np.testing.assert_array_equal(ra.roi_align(Tensor(values), BOXES, 3), ra.roi_align(values, BOXES, 3))


@pytest.mark.parametrize("view", [np.s_[...], np.s_[:, ::2, :, ::-1], np.s_[:, 3:9]])
def test_bfloat16_tensors_are_read_in_place(view):
    values = features(ml_dtypes.bfloat16)[view]
    read = array(Bfloat16Tensor(values))
    assert read.dtype == ml_dtypes.bfloat16
    # NumPy is free to choose the stride of an axis of length 1.
    assert all(a == b for a, b, side in zip(read.strides, values.strides, values.shape, strict=True) if side > 1)
    assert read.ctypes.data == values.ctypes.data
    result = ra.roi_align(Bfloat16Tensor(values), BOXES, 3)
    assert result.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(result, ra.roi_align(values, BOXES, 3))


def test_bfloat16_tensors_live_as_long_as_their_array():
    class Values(np.ndarray):
        pass

    values = features(ml_dtypes.bfloat16).view(Values)
    alive = weakref.ref(values)
    read = array(Bfloat16Tensor(values))
    part = read[0, 0]
    del values, read
    gc.collect()
    assert alive() is not None
    del part
    gc.collect()
    assert alive() is None


def test_a_capsule_is_taken_once_and_only_if_it_is_bfloat16():
    take = ra._core.bfloat16_from_dlpack
    capsule = Bfloat16Tensor(features(ml_dtypes.bfloat16)).__dlpack__()
    take(capsule, np.dtype(ml_dtypes.bfloat16))
    with pytest.raises(ValueError, match=r"used_dltensor|incorrect name"):
        take(capsule, np.dtype(ml_dtypes.bfloat16))
    with pytest.raises(TypeError, match="bfloat16"):
        take(features(np.float32).__dlpack__(), np.dtype(ml_dtypes.bfloat16))
