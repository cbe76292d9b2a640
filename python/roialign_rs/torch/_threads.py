"""Limits kernels to PyTorch's number of threads, which is 1 in a DataLoader worker."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from roialign_rs._core import get_num_threads, limit_threads

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def follow_torch(kernel: Kernel) -> Kernel:
    """Limit a function to ``min(roialign_rs.get_num_threads(), torch.get_num_threads())`` threads.

    The limit holds for calls of the wrapped function alone, not for other threads or for functions on NumPy arrays.
    """

    @functools.wraps(kernel)
    def call(*args: Any) -> Any:
        threads = torch.get_num_threads()
        if threads >= get_num_threads():
            return kernel(*args)
        before = limit_threads(threads)
        try:
            return kernel(*args)
        finally:
            limit_threads(before)

    return call  # type: ignore[return-value]  # of the same signature, but for keywords, which kernels are called without
