"""Conversion between tensors and NumPy arrays that share memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_array(tensor: Tensor) -> NDArray[Any]:
    """View a CPU tensor with any strides as an array.

    NumPy has no bfloat16, so such tensors are viewed with the dtype of ml_dtypes.
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
