"""Calls of NumPy functions from traced JAX programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[Any], ...]


def call(function: Callable[..., Arrays], results: Sequence[jax.ShapeDtypeStruct], *args: jax.Array) -> list[jax.Array]:
    """Call a NumPy function when the program runs.

    Parameters
    ----------
    function
        Takes NumPy arrays and returns a tuple of them. It must not use JAX, which could wait for the thread that calls
        it.
    results
        Shapes and dtypes of its results, for arguments with the shapes of ``args``.
    args
        Its arguments. Under ``vmap`` they have more leading axes when the program runs: of the mapped length, or of
        length 1 for arguments that are not mapped.

    Returns
    -------
    list of arrays
        Its results, with the leading axes of ``vmap``.
    """
    ranks = [arg.ndim for arg in args]

    def run(*arrays: Any) -> Arrays:
        arrays = tuple(np.asarray(array) for array in arrays)
        mapped = [array.shape[: array.ndim - rank] for array, rank in zip(arrays, ranks, strict=True)]
        shape = np.broadcast_shapes(*mapped)
        if not shape:
            return function(*arrays)
        whole = [
            np.broadcast_to(array, shape + array.shape[len(shape) :]) for array in arrays
        ]  # repeats unmapped arguments without a copy
        each = [function(*(array[index] for array in whole)) for index in np.ndindex(shape)]
        return tuple(np.stack(parts).reshape(shape + parts[0].shape) for parts in zip(*each, strict=True))

    return list(jax.pure_callback(run, tuple(results), *args, vmap_method="expand_dims"))
