"""Functions of NumPy arrays inside traced JAX programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[Any], ...]


def call(function: Callable[..., Arrays], results: Sequence[jax.ShapeDtypeStruct], *args: jax.Array) -> list[jax.Array]:
    """Call a function of arrays when the program runs.

    Parameters
    ----------
    function
        Takes NumPy arrays and returns a tuple of them. It must not use JAX: that can wait for the very thread it is
        called on.
    results
        What it returns, for arguments of the shapes that ``args`` have here.
    args
        Under ``vmap`` they come with more axes in front, each of the mapped length or, where an argument is not mapped,
        of length 1.

    Returns
    -------
    list of arrays
        With the axes of ``vmap``, if any, in front.
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
