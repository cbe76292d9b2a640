"""Tensors as NumPy arrays and back, on the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_array(tensor: Tensor) -> NDArray[Any]:
    """View a CPU tensor of any strides as an array.

    NumPy has no bfloat16 of its own; there the two-byte elements are viewed as the dtype that ml_dtypes registers.
    """
    tensor = tensor.detach()
    if tensor.dtype != torch.bfloat16:
        return np.asarray(tensor.numpy())
    return tensor.view(torch.int16).numpy().view(_bfloat16())


def as_tensor(array: NDArray[Any]) -> Tensor:
    """View an array as a CPU tensor."""
    if array.dtype.name != "bfloat16":
        return torch.from_numpy(array)
    return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)


def _bfloat16() -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError as error:
        raise ImportError("bfloat16 tensors need ml_dtypes: pip install 'roialign_rs[torch]'") from error
    return np.dtype(ml_dtypes.bfloat16)
