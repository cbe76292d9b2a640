"""Limit kernels to PyTorch's number of threads: it is 1 in a DataLoader worker, so workers do not compete for cores."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from roialign_rs._core import get_num_threads, limit_threads

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def follow_torch(kernel: Kernel) -> Kernel:
    """Let a function use ``min(roialign_rs.get_num_threads(), torch.get_num_threads())`` threads.

    The limit is the calling thread's own, so calls from other threads, and of NumPy functions, keep theirs.
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
